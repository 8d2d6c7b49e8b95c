"""emergencies"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "emergency",
        sa.Column("id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("organisation", sa.LargeBinary(length=32), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("first", sa.LargeBinary(length=32), nullable=False),
        sa.Column("first_key", sa.LargeBinary(length=64), nullable=False),
        sa.Column("first_signature", sa.LargeBinary(length=64), nullable=False),
        sa.Column("second", sa.LargeBinary(length=32), nullable=True),
        sa.Column("second_key", sa.LargeBinary(length=64), nullable=True),
        sa.Column("second_signature", sa.LargeBinary(length=64), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.SmallInteger(), nullable=True),
        sa.Column("reviewed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("emergency", schema=None) as batch_op:
        batch_op.create_index("emergency_of_organisation", ["organisation", "position"], unique=False)
        batch_op.create_index("emergency_of_subject", ["subject", "position"], unique=False)
