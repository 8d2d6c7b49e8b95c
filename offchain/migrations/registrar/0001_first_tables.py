"""The first tables. What is there already was made before revisions were kept, and stays as it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identifier",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        if_not_exists=True,
    )
    op.create_index("ix_identifier_subject", "identifier", ["subject"], if_not_exists=True)

    op.create_table(
        "person",
        sa.Column("lookup", sa.LargeBinary(length=32), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name_check", sa.LargeBinary(length=32), nullable=False),
        sa.Column("posted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("lookup"),
        if_not_exists=True,
    )
    op.create_index("ix_person_posted", "person", ["posted"], if_not_exists=True)
    op.create_index("ix_person_subject", "person", ["subject"], if_not_exists=True)
