"""The gateway's database: one base class, one way to open a session, one way to migrate.

SQLite (embedded) and PostgreSQL (consortium) run the same models and the same migrations. Nobody commits but the edge
(:mod:`gateway.http`), the worker's tasks and the few functions that say so.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Engine, Integer, LargeBinary, literal_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session

from gateway.ledger import outbox
from gateway.ledger.db import open_engine, writing
from gateway.ledger.migrate import Tables
from gateway.ledger.migrate import migrate as bring_up

WORD = LargeBinary(32)
BULK = 500
# SQLite gives only INTEGER PRIMARY KEY a number of its own.
SERIAL = BigInteger().with_variant(Integer, "sqlite")


def position() -> int:
    """Place in time of a new row, microseconds since 1970: orders and pages rows made in one second."""
    return time.time_ns() // 1000


class Base(DeclarativeBase):
    """Base of every table of the gateway."""


def reader(engine: Engine) -> Session:
    """A session that only reads."""
    return Session(engine, expire_on_commit=False)


def writer(engine: Engine) -> Session:
    """A session that may write; on SQLite it waits for the one write lock."""
    session = Session(engine, expire_on_commit=False)
    writing(session)
    return session


TABLES = Tables(
    "gateway", Path(__file__).parent / "migrations" / "versions", (Base.metadata, outbox.metadata), marker="alembic_version"
)
"""The gateway's tables and its outbox's; import :mod:`gateway.models` before asking what they are."""


def migrate(url: str) -> None:
    """Bring the schema to the newest revision (no-op when it is there). Raises DatabaseUnfit."""
    engine = open_engine(url)
    bring_up(engine, TABLES)
    engine.dispose()


def insert_new(session: Session, table: Any, rows: list[dict[str, Any]]) -> int:
    """Insert many rows with one statement, leaving those alone that exist. Returns how many were new. From :data:`BULK`
    rows on, values
    must be what the driver takes (bytes, int, str, bool, None)."""
    if not rows:
        return 0
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        # Its driver does not say how many rows an executemany added.
        added: Any = postgresql.insert(table).on_conflict_do_nothing().returning(literal_column("1"))
        return len(connection.execute(added, rows).all())
    statement = sqlite.insert(table).on_conflict_do_nothing()
    if len(rows) < BULK:
        return int(connection.execute(statement, rows).rowcount)
    # Straight to the driver: wrapping every value for it costs four times the insert itself.
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(rows[0]))
    names = compiled.positiontup or []
    return int(connection.exec_driver_sql(str(compiled), [tuple(row[n] for n in names) for row in rows]).rowcount)
