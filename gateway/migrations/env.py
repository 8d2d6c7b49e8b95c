"""Alembic's entry: one connection, our models and the outbox's, batch mode for SQLite."""

from __future__ import annotations

from alembic import context

from gateway.ledger import outbox
from gateway.ledger.db import alone, open_engine
from gateway.models import Base

METADATA = [Base.metadata, outbox.metadata]


def run() -> None:
    """Migrate the database the caller named."""
    engine = open_engine(context.config.attributes["url"])
    with engine.connect() as connection, alone(connection):
        context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
        context.run_migrations()
    engine.dispose()


run()
