"""Read-only SQL for analysts: views ``v1_…`` over the mirror's tables, and on PostgreSQL roles limited by row-level security.

The tables change with the program; a view of version 1 keeps its columns, or becomes version 2 beside it. Words are ``0x…`` text,
and whatever has a height has the block's time. The policies are :mod:`mirror.sight`'s, the same that REST asks.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from core.errors import Malformed
from mirror.database import Database
from mirror.models import BLOCK
from mirror.query import TABLES
from mirror.sight import HIDDEN_COLUMNS, rows_of

VERSION = "v1"
POSTGRES: sa.Dialect = sa.make_url("postgresql+psycopg://").get_dialect()()
ENCODED = "encode(organisation, 'hex')"
READERS = "healthtrust_mirror_readers"
ROLE_SHAPE = re.compile(r"[a-z][a-z0-9_]{2,40}")
LEAST_POSTGRES = 15

READER = sa.Table(
    "mirror_reader",
    sa.MetaData(),
    sa.Column("name", sa.Text(), primary_key=True),
    sa.Column("organisation", sa.LargeBinary(32), nullable=True),
)


@dataclass(frozen=True)
class Reader:
    """A role that was made. ``password``: shown this once, kept nowhere."""

    name: str
    password: str


def publish(database: Database) -> list[str]:
    """Make the views anew, on PostgreSQL with row-level security under them; their names. Safe to repeat, beside a follower.

    Raises Malformed on a PostgreSQL before 15, whose views cannot look with the eyes of who asks.
    """
    with database.write() as connection:
        if not database.sqlite:
            _secure(connection)
        for name, table in TABLES.items():
            connection.execute(sa.text(f"DROP VIEW IF EXISTS {VERSION}_{name}"))
            connection.execute(sa.text(_view(name, table, sqlite=database.sqlite)))
            if not database.sqlite:
                connection.execute(sa.text(f"GRANT SELECT ON {VERSION}_{name} TO {READERS}"))
    return [f"{VERSION}_{name}" for name in TABLES]


def describe() -> str:
    """One line a view with its columns, as docs/services.md lists them; a test keeps the page equal to it."""
    return "".join(f"    {VERSION}_{name:14} {' '.join(_names(table))}\n" for name, table in TABLES.items())


def add_reader(database: Database, name: str, organisation: bytes | None) -> Reader:
    """A role that may log in and read the views: all rows (None: an auditor's), or those of an organisation. An existing reader
    gets a new password and this sight.

    Malformed for a name that is no plain identifier, or on SQLite, which has no roles.
    """
    if database.sqlite:
        raise Malformed("no_roles", detail="SQLite has no roles: give readers a copy of the file, or use PostgreSQL")
    if not ROLE_SHAPE.fullmatch(name) or name == READERS:
        raise Malformed("role_malformed", detail="a role is 3 to 41 lower-case letters, digits and _, a letter first")
    publish(database)
    password = secrets.token_urlsafe(24)
    with database.write() as connection:
        known = connection.scalar(sa.select(sa.func.count()).select_from(READER).where(READER.c.name == name))
        if not known and _role_exists(connection, name):
            raise Malformed("role_malformed", detail=f"the role {name} exists already and is no reader of this mirror")
        if not known:
            connection.execute(sa.text(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOBYPASSRLS IN ROLE {READERS}"))
        # The password is letters, digits, - and _ of our own making: nothing from outside is in the text.
        connection.execute(sa.text(f"ALTER ROLE {name} PASSWORD '{password}'"))
        connection.execute(sa.text(f"ALTER ROLE {name} SET default_transaction_read_only = on"))
        connection.execute(sa.delete(READER).where(READER.c.name == name))
        connection.execute(sa.insert(READER).values(name=name, organisation=organisation))
    return Reader(name, password)


def _role_exists(connection: sa.Connection, name: str) -> bool:
    return bool(connection.scalar(sa.text("SELECT count(*) FROM pg_roles WHERE rolname = :name"), {"name": name}))


def _secure(connection: sa.Connection) -> None:
    version = connection.scalar(sa.text("SHOW server_version_num"))
    if int(version or 0) < LEAST_POSTGRES * 10_000:
        raise Malformed("postgres_too_old", detail=f"views with row-level security need PostgreSQL {LEAST_POSTGRES} or newer")
    READER.create(connection, checkfirst=True)
    if not _role_exists(connection, READERS):
        connection.execute(sa.text(f"CREATE ROLE {READERS} NOLOGIN"))
    for statement in _policies():
        connection.execute(sa.text(statement.replace(":", "\\:")))


def _policies() -> Iterator[str]:
    """Each table shows a reader the rows its sight names, through columns that its view shows; the owner is not limited."""
    yield f"GRANT SELECT ON {READER.name} TO {READERS}"
    yield from _policy(READER.name, "name = current_user")
    mine = f"SELECT organisation FROM {READER.name} WHERE name = current_user"  # noqa: S608 - our own names
    for name, table in TABLES.items():
        organisation: sa.ColumnElement[bytes] = sa.literal_column(f"({mine})")
        text: sa.ColumnElement[str] = sa.literal_column(f"({mine.replace('organisation', ENCODED, 1)})", sa.Text())
        own = rows_of(table, organisation, text)
        seen = str(own.compile(dialect=POSTGRES, compile_kwargs={"literal_binds": True}))
        auditor = f"EXISTS ({mine} AND organisation IS NULL)"
        known = f"EXISTS ({mine})"
        yield from _policy(name, f"{auditor} OR ({known} AND ({seen}))")
        yield f'GRANT SELECT ({", ".join(map(_quoted, table.columns))}) ON "{name}" TO {READERS}'


def _policy(table: str, condition: str) -> Iterator[str]:
    yield f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY'
    yield f'DROP POLICY IF EXISTS readers ON "{table}"'
    yield f'CREATE POLICY readers ON "{table}" FOR SELECT TO {READERS} USING ({condition})'


def _names(table: sa.Table) -> list[str]:
    hidden = HIDDEN_COLUMNS.get(str(table.name), frozenset())
    names = [c.name for c in table.columns if c.name not in hidden]
    return names if table is BLOCK else [*names, "block_time"]


def _view(name: str, table: sa.Table, *, sqlite: bool) -> str:
    """``CREATE VIEW`` of one table."""
    shown = [f"{_text(c, sqlite=sqlite)} AS {_quoted(c)}" for c in table.columns if c.name in _names(table)]
    source = f'"{name}" AS t'
    if table is not BLOCK:
        height = "t.height" if "height" in table.c else "t.valid_from"
        shown.append("b.time AS block_time")
        source += f' JOIN "{BLOCK.name}" AS b ON b.height = {height}'
    options = "" if sqlite else " WITH (security_invoker = true)"
    return f"CREATE VIEW {VERSION}_{name}{options} AS SELECT {', '.join(shown)} FROM {source}"  # noqa: S608 - our own names


def _quoted(column: sa.Column[object]) -> str:
    return f'"{column.name}"'


def _text(column: sa.Column[object], *, sqlite: bool) -> str:
    value = f"t.{_quoted(column)}"
    if not isinstance(column.type, sa.LargeBinary):
        return value
    return f"'0x' || lower(hex({value}))" if sqlite else f"'0x' || encode({value}, 'hex')"
