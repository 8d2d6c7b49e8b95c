"""The mirror's database: connections, whole-block transactions, bulk rows. SQLite and PostgreSQL.

Rows go in through the drivers' bulk paths (``executemany`` on SQLite, binary ``COPY`` on PostgreSQL): SQLAlchemy's own inserts
cost more than the rest of the mirror together. Reading uses SQLAlchemy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from gateway.ledger.db import alone, make_private
from mirror import migrations
from mirror.copy import copy_bytes
from mirror.models import Relation, Row
from mirror.projections.base import Key

SQLITE_WAIT_SECONDS = 5.0
KEYS_PER_QUERY = 500
DRIVER_ERRORS = (DBAPIError, sqlite3.Error, psycopg.Error)


class DatabaseUnavailable(RuntimeError):
    """The database did not take a transaction; nothing of it was written. The message says what to do; trying again later may
    help."""


class DatabaseBroken(RuntimeError):
    """The database refuses what the chain says: it was changed by somebody else, or it is damaged. Trying again does not help."""


class Database:
    """One mirror's database. Transactions are whole or not at all; failures are DatabaseUnavailable or DatabaseBroken."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.sqlite = self.engine.dialect.name == "sqlite"
        self.name = self.engine.url.render_as_string(hide_password=True)

    def prepare(self) -> None:
        """Make or upgrade the tables; takes no write lock when there is nothing to do."""
        with self.read() as connection:
            if migrations.version(connection) == len(migrations.STEPS):
                return
        try:
            # The follower, the gateway and the command line may all be the first after an upgrade.
            with self.engine.connect() as connection, alone(connection):
                migrations.upgrade(connection)
        except DRIVER_ERRORS as e:
            raise _translated(self.name, e) from e

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction; rolled back when the block raises."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except DRIVER_ERRORS as e:
            raise _translated(self.name, e) from e

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One consistent view of the database."""
        try:
            with self.engine.connect() as connection:
                if self.sqlite:
                    connection.execution_options(writes=False)
                else:
                    connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                with connection.begin():
                    yield connection
        except DRIVER_ERRORS as e:
            raise _translated(self.name, e) from e

    def close(self) -> None:
        """Let go of connections."""
        self.engine.dispose()


def _engine(url: str) -> sa.Engine:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, hide_parameters=True)
    if parsed.database and parsed.database != ":memory:":
        make_private(Path(parsed.database))
    engine = sa.create_engine(
        parsed, connect_args={"timeout": SQLITE_WAIT_SECONDS, "isolation_level": None}, hide_parameters=True
    )
    sa.event.listen(engine, "connect", _sqlite_connect)
    sa.event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connect(connection: Any, _: Any) -> None:
    # FULL: a committed block survives a power cut. WAL: people read while blocks are written.
    for pragma in ("page_size=8192", "journal_mode=WAL", "synchronous=FULL", "cache_size=-131072", "wal_autocheckpoint=8000"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes", True) else "BEGIN")


def _translated(name: str, error: Exception) -> DatabaseUnavailable | DatabaseBroken:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    text = str(cause).strip().split("\n", 1)[0]
    if isinstance(cause, sqlite3.IntegrityError | psycopg.IntegrityError):
        return DatabaseBroken(f"{name} refuses a row of the chain ({text}): rebuild the mirror")
    advice = {
        "database is locked": "another process holds it: stop the other writer; the mirror goes on by itself",
        "database or disk is full": "the disk is full: make room; the mirror goes on by itself",
        "No space left on device": "the disk is full: make room; the mirror goes on by itself",
    }
    for sign, what in advice.items():
        if sign in text:
            return DatabaseUnavailable(f"{name}: {what} ({text})")
    if "malformed" in text or "not a database" in text:
        return DatabaseBroken(f"{name} is damaged ({text}): rebuild the mirror")
    return DatabaseUnavailable(f"{name} does not answer as it should ({text}): look at the database and its log")


def insert(connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Add rows (tuples in the order of ``columns``) in bulk."""
    if not rows:
        return
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        raw.executemany(_insert_sql(table.name, tuple(columns)), rows)
        return
    names = ", ".join(f'"{c}"' for c in columns)
    with raw.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN (FORMAT BINARY)') as copy:
        copy.write(copy_bytes(table, tuple(columns), rows))


@cache
def _insert_sql(table: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(f'"{c}"' for c in columns)
    return f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))})'  # noqa: S608


def current(connection: sa.Connection, relation: Relation, keys: Collection[Key]) -> dict[Key, dict[str, Any]]:
    """Versions in force of these keys."""
    raw: Any = connection.connection.driver_connection
    wanted, names, at = sorted(keys), relation.columns, relation.key_at
    if connection.dialect.name != "sqlite":
        with raw.cursor(binary=True) as cursor:
            rows = cursor.execute(_current_sql(relation, "= ANY(%b)"), (wanted,)).fetchall()
        return {row[at]: dict(zip(names, row, strict=True)) for row in rows}
    found = {}
    for i in range(0, len(wanted), KEYS_PER_QUERY):
        part = wanted[i : i + KEYS_PER_QUERY]
        for row in raw.execute(_current_sql(relation, f"IN ({', '.join('?' * len(part))})"), part):
            found[row[at]] = dict(zip(names, row, strict=True))
    return found


@lru_cache(1024)
def _current_sql(relation: Relation, chosen: str) -> str:
    names = ", ".join(f'"{c}"' for c in relation.columns)
    return f'SELECT {names} FROM "{relation.name}" WHERE "{relation.key}" {chosen} AND valid_to IS NULL'  # noqa: S608


def end_versions(connection: sa.Connection, relation: Relation, ends: Sequence[tuple[int, Key]]) -> None:
    """The versions in force of these keys end, each at the height before it."""
    raw: Any = connection.connection.driver_connection
    # Names are our own constants: nothing from outside is in the text.
    update = f'UPDATE "{relation.name}" SET valid_to = '  # noqa: S608
    if connection.dialect.name == "sqlite":
        raw.executemany(f'{update} ? WHERE valid_to IS NULL AND "{relation.key}" = ?', ends)
        return
    heights, keys = zip(*ends, strict=True)
    ended = f'FROM unnest(%b::int8[], %b) AS ended(height, key) WHERE valid_to IS NULL AND "{relation.key}" = ended.key'
    with raw.cursor() as cursor:
        cursor.execute(f"{update} ended.height {ended}", (list(heights), list(keys)))
