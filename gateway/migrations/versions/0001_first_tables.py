"""first tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_request",
        sa.Column("id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=True),
        sa.Column("requester", sa.LargeBinary(length=32), nullable=False),
        sa.Column("organisation", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("consent", sa.LargeBinary(length=32), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answer_salt", sa.LargeBinary(length=32), nullable=True),
        sa.Column("answer_signature", sa.LargeBinary(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("access_request", schema=None) as batch_op:
        batch_op.create_index("access_request_by_expiry", ["status", "expires"], unique=False)
        batch_op.create_index("access_request_of_requester", ["requester", "position"], unique=False)
        batch_op.create_index("access_request_of_subject", ["subject", "position"], unique=False)

    op.create_table(
        "administrator",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("password", sa.String(length=160), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "consent",
        sa.Column("consent", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.Column("use_limit", sa.Integer(), nullable=False),
        sa.Column("operation", sa.String(length=64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("expiry_told", sa.Boolean(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("consent"),
    )
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.create_index("consent_by_expiry", ["expiry_told", "not_after"], unique=False)
        batch_op.create_index("consent_of_subject", ["subject", "position"], unique=False)

    op.create_table(
        "consent_act",
        sa.Column("operation", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("consent", sa.LargeBinary(length=32), nullable=False),
        sa.Column("old", sa.LargeBinary(length=32), nullable=True),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("operation"),
    )
    with op.batch_alter_table("consent_act", schema=None) as batch_op:
        batch_op.create_index("consent_act_of_subject", ["subject", "nonce"], unique=False)
        batch_op.create_index(batch_op.f("ix_consent_act_told"), ["told"], unique=False)

    op.create_table(
        "consent_recipient",
        sa.Column("recipient", sa.LargeBinary(length=32), nullable=False),
        sa.Column("consent", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("recipient", "consent"),
    )
    op.create_table(
        "directory_entry",
        sa.Column("lookup", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name_check", sa.LargeBinary(length=32), nullable=False),
        sa.Column("issue", sa.Integer(), nullable=False),
        sa.Column("operation", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("lookup"),
    )
    with op.batch_alter_table("directory_entry", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_directory_entry_subject"), ["subject"], unique=False)

    op.create_table(
        "enrolment_ticket",
        sa.Column("ticket", sa.LargeBinary(length=32), nullable=False),
        sa.Column("lookup", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("issue", sa.Integer(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("ticket"),
    )
    with op.batch_alter_table("enrolment_ticket", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_enrolment_ticket_expires"), ["expires"], unique=False)

    op.create_table(
        "enrolment_try",
        sa.Column("lookup", sa.LargeBinary(length=32), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lookup"),
    )
    with op.batch_alter_table("enrolment_try", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_enrolment_try_since"), ["since"], unique=False)

    op.create_table(
        "evidence_batch",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("operation", sa.String(length=64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "idempotent_answer",
        sa.Column("name", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    with op.batch_alter_table("idempotent_answer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotent_answer_created"), ["created"], unique=False)

    op.create_table(
        "index_batch",
        sa.Column("organisation", sa.LargeBinary(length=32), nullable=False),
        sa.Column("batch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("first_sequence", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("transaction", sa.String(length=66), nullable=True),
        sa.Column("anchored_at", sa.BigInteger(), nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "batch"),
    )
    op.create_table(
        "index_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("organisation", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("category", sa.SmallInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("flags", sa.SmallInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("latest", sa.Boolean(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(length=256), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organisation", "sequence"),
    )
    with op.batch_alter_table("index_entry", schema=None) as batch_op:
        batch_op.create_index("index_entry_of_record", ["record", "version"], unique=False)
        batch_op.create_index("index_entry_of_subject", ["subject", "recorded_at", "id"], unique=False)

    op.create_table(
        "login_challenge",
        sa.Column("value", sa.LargeBinary(length=32), nullable=False),
        sa.Column("keyid", sa.String(length=90), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("value"),
    )
    with op.batch_alter_table("login_challenge", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_challenge_expires"), ["expires"], unique=False)

    op.create_table(
        "login_session",
        sa.Column("token", sa.LargeBinary(length=32), nullable=False),
        sa.Column("keyid", sa.String(length=90), nullable=False),
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("heir", sa.LargeBinary(length=32), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token"),
    )
    with op.batch_alter_table("login_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_login_session_keyid"), ["keyid"], unique=False)
        batch_op.create_index(batch_op.f("ix_login_session_used"), ["used"], unique=False)

    op.create_table(
        "notice",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("recipient", sa.String(length=66), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index("notice_of_recipient", ["recipient", "id"], unique=False)

    op.create_table(
        "organisation_profile",
        sa.Column("organisation", sa.LargeBinary(length=32), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("gate", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("organisation"),
    )
    op.create_table(
        "patient_code",
        sa.Column("code", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    with op.batch_alter_table("patient_code", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_patient_code_expires"), ["expires"], unique=False)
        batch_op.create_index(batch_op.f("ix_patient_code_subject"), ["subject"], unique=False)

    op.create_table(
        "practitioner_profile",
        sa.Column("practitioner", sa.LargeBinary(length=32), nullable=False),
        sa.Column("organisation", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("department", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("practitioner"),
    )
    with op.batch_alter_table("practitioner_profile", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_practitioner_profile_organisation"), ["organisation"], unique=False)

    op.create_table(
        "receipt_copy",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("store", sa.LargeBinary(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("requester", sa.LargeBinary(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("store", "number"),
    )
    with op.batch_alter_table("receipt_copy", schema=None) as batch_op:
        batch_op.create_index("receipt_of_requester", ["requester", "time", "id"], unique=False)
        batch_op.create_index("receipt_of_subject", ["subject", "time", "id"], unique=False)

    op.create_table(
        "schema_document",
        sa.Column("id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("elements", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "seen_nonce",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    with op.batch_alter_table("seen_nonce", schema=None) as batch_op:
        batch_op.create_index("seen_nonce_by_expiry", ["expires"], unique=False)

    op.create_table(
        "evidence",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=90), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("batch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch"],
            ["evidence_batch.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("evidence", schema=None) as batch_op:
        batch_op.create_index("evidence_of", ["by", "kind", "created"], unique=False)
        batch_op.create_index(batch_op.f("ix_evidence_batch"), ["batch"], unique=False)

    op.create_table(
        "operation",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("caller", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("call", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("transaction", sa.String(), nullable=True),
        sa.Column("height", sa.BigInteger(), nullable=True),
        sa.Column("block", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("restoring", sa.Boolean(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("updated", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("caller", "key"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("operation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_operation_height"), ["height"], unique=False)
        batch_op.create_index(batch_op.f("ix_operation_restoring"), ["restoring"], unique=False)
        batch_op.create_index(batch_op.f("ix_operation_transaction"), ["transaction"], unique=False)
        batch_op.create_index("operation_state", ["state", "seq"], unique=False)

    op.create_table(
        "operation_lane",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("next_nonce", sa.BigInteger(), nullable=True),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("held_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "operation_mark",
        sa.Column("one", sa.Integer(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("block", sa.String(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("one"),
    )
