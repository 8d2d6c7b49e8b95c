"""Alembic's entry for every set of tables: the caller's connection and transaction, batch mode for SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import context

if TYPE_CHECKING:
    from gateway.ledger.migrate import Tables


def run() -> None:
    """Run what the command asked for within the transaction the caller holds."""
    given = context.config.attributes
    tables: Tables = given["tables"]
    context.configure(
        connection=given["connection"],
        target_metadata=list(tables.metadata),
        version_table=tables.marker,
        render_as_batch=True,
    )
    context.run_migrations()


run()
