"""SQLAlchemy engines as every service here wants them.

SQLite: write-ahead log, foreign keys on, a busy writer waited for, every commit synced to disk (``synchronous=FULL``: an
acknowledged write must survive a power cut). PostgreSQL: its own defaults are already that.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker

from gateway.settings import private_folder

BUSY_SECONDS = 30
SCHEMA_LOCK = 0x4854_0001
"""PostgreSQL advisory lock held while tables are made (any number that nobody else uses)."""


def open_engine(url: str) -> Engine:
    """An engine for a SQLAlchemy URL (``sqlite:///…`` or ``postgresql+psycopg://…``); an SQLite file's folder is made."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
    if parsed.database and parsed.database != ":memory:":
        make_private(Path(parsed.database))
    # Hidden parameters: a driver's error goes into logs, and the row it failed on must not.
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def open_sessions(url: str, *metadata: MetaData) -> sessionmaker[Session]:
    """Sessions on a database whose tables exist (made where missing)."""
    engine = open_engine(url)
    create_tables(engine, *metadata)
    return sessionmaker(engine, expire_on_commit=False)


def create_database(server: str, url: str) -> None:
    """Make the PostgreSQL database of ``url`` where it is missing, asking through that of ``server``; nothing for SQLite."""
    wanted = make_url(url)
    if wanted.get_backend_name() == "sqlite":
        return
    engine = open_engine(server)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": wanted.database}):
            connection.exec_driver_sql(f"CREATE DATABASE {connection.dialect.identifier_preparer.quote(str(wanted.database))}")
    engine.dispose()


def create_tables(engine: Engine, *metadata: MetaData) -> None:
    """Create the tables that are missing; existing ones stay as they are."""
    with engine.connect() as connection, alone(connection):
        for tables in metadata:
            tables.create_all(connection)


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """One transaction for changing the schema, which others who want to do the same wait for: processes start together."""
    connection.execution_options(writing=True)
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")
        yield


def make_private(path: Path) -> None:
    """Make a database file that only its owner reads, where there is none; SQLite gives its journals the same mode.

    A file that exists is not touched: closing any descriptor of it drops every lock this process holds on it (POSIX), and
    SQLite in another process would then take us for gone and throw the write-ahead log away under us.
    """
    private_folder(path.parent)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def writing(session: Session) -> None:
    """Say at the start of a transaction that it will write after it has read. SQLite then takes its write lock at once and
    waits for it (a lock taken half way fails instead of waiting when somebody else wrote in between); elsewhere nothing
    changes."""
    session.connection(execution_options={"writing": True})


def _configure_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: the module's own begins are late and miss reads
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    kind = "IMMEDIATE" if connection.get_execution_options().get("writing") else "DEFERRED"
    connection.exec_driver_sql(f"BEGIN {kind}")
