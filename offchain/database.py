"""The custodian's and the registrar's database: the services' common engine, with deleted keys overwritten.

SQLite in the embedded profile, PostgreSQL in the consortium profile, through SQLAlchemy (requirement P62: keys and data apart).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session, sessionmaker

from gateway.ledger import db, outbox
from gateway.ledger.migrate import Tables, migrate
from offchain.models import Base, RegistrarBase

Sessions = sessionmaker[Session]

MIGRATIONS = Path(__file__).parent / "migrations"
CUSTODIAN = Tables("custodian", MIGRATIONS / "custodian", (Base.metadata, outbox.metadata), marker="custodian_revision")
"""A custodian's tables, with its outbox's."""
REGISTRAR = Tables("registrar", MIGRATIONS / "registrar", (RegistrarBase.metadata,), marker="registrar_revision")


def open_engine(url: str) -> Engine:
    """As :func:`gateway.ledger.db.open_engine`; on SQLite a destroyed key is overwritten, not left in a free page."""
    engine = db.open_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _overwrite_deleted)
    return engine


def prepare(engine: Engine, tables: Tables = CUSTODIAN) -> Engine:
    """The engine, its tables at this program's revision. Raises DatabaseUnfit."""
    migrate(engine, tables)
    return engine


def custodian_sessions(url: str) -> Sessions:
    """Sessions on a custodian's database. Raises DatabaseUnfit."""
    return sessionmaker(prepare(open_engine(url)), expire_on_commit=False)


def registrar_sessions(url: str) -> Sessions:
    """Sessions on the registrar's database. Raises DatabaseUnfit."""
    return sessionmaker(prepare(open_engine(url), REGISTRAR), expire_on_commit=False)


def close(sessions: Sessions) -> None:
    """Let go of the connections behind these sessions (for whoever opens a database again and again)."""
    sessions.kw["bind"].dispose()


def forget_freed_pages(engine: Engine) -> None:
    """Truncate SQLite's write-ahead log, where the pages of a destroyed key would otherwise survive until it is reused."""
    if engine.dialect.name == "sqlite":
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()


def _overwrite_deleted(connection: sqlite3.Connection, _: Any) -> None:
    connection.execute("PRAGMA secure_delete=ON").close()
