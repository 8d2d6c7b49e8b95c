"""Versions of a database's tables, and the way from each to the next: one mechanism, Alembic, for every database of the house.

A :class:`Tables` names a folder of numbered revisions (``0001_first_tables.py``, ``0002_…``). Each process brings the databases
it opens to the newest revision it knows; those that start together wait for one another, and a database that is there already
is not locked. A database whose tables were made before revisions were kept is taken over at its first start, with its rows
(docs/decisions/0016-database-revisions.md). There is no way back: restore the copy made before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, String, TableClause, column, inspect, select, table

from core.errors import HealthTrustError
from gateway.ledger.db import alone, open_engine

ENVIRONMENT = Path(__file__).parent / "migrations"
"""Alembic's entry and the form of a new revision."""


class DatabaseUnfit(HealthTrustError):
    """This program must not work on that database; nothing was changed in it."""

    default_code = "database_unfit"
    default_zh = (
        "数据库 {database} 中 {tables} 的表与本程序不符：{why}。未作任何改动。请使用建立它的程序版本，或恢复升级前的备份。"
    )
    default_en = (
        "The {tables} tables in {database} do not fit this program: {why}. Nothing was changed. "
        "Run the program version that made them, or restore the copy from before the upgrade."
    )


@dataclass(frozen=True)
class Tables:
    """Tables that change together. ``folder``: their revisions; ``marker``: the table that holds the revision in force, a name
    of its own because several may share one database."""

    name: str
    folder: Path
    metadata: tuple[MetaData, ...]
    marker: str

    def revisions(self) -> list[str]:
        """Revisions this program knows, oldest first: the numbers that start the files' names."""
        return sorted(file.name.partition("_")[0] for file in self.folder.glob("[0-9]*.py"))

    @property
    def in_force(self) -> TableClause:
        """The table that holds the revision in force (one row, ``version_num``)."""
        return table(self.marker, column("version_num", String))

    def names(self) -> set[str]:
        """Names of the tables."""
        return {name for metadata in self.metadata for name in metadata.tables}


def migrate(engine: Engine, tables: Tables) -> None:
    """Bring these tables to this program's revision. Raises DatabaseUnfit when they are newer, or not as they should be."""
    head = tables.revisions()[-1]
    with engine.connect() as connection:
        if _revision(connection, tables) == head:
            return
    with engine.connect() as connection, alone(connection):
        found = _revision(connection, tables)
        if found == head:  # another process was quicker
            return
        if found is not None and found not in tables.revisions():
            raise _unfit(connection, tables, f"they have revision {found}, this program knows {head}")
        older = found is None and not tables.names().isdisjoint(inspect(connection).get_table_names())
        _upgrade(connection, tables)
        if older and (differences := compare(connection, tables)):
            raise _unfit(connection, tables, "; ".join(_said(d) for d in differences[:3]))


def compare(connection: Connection, tables: Tables) -> list[Any]:
    """What would have to change in the database for it to be as the models say (Alembic's words); empty when it is."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    found = []
    for metadata in tables.metadata:
        own = set(metadata.tables)
        only = {"include_object": lambda o, name, kind, r, c, own=own: kind != "table" or name in own}
        found += compare_metadata(MigrationContext.configure(connection, opts=only), metadata)
    return found


def draft(tables: Tables, message: str) -> Path:
    """Write the next revision, filled with what the models have beyond the revisions so far (for whoever changes a model)."""
    from alembic import command

    engine = open_engine("sqlite://")
    with engine.connect() as connection, alone(connection):
        if tables.revisions():
            _upgrade(connection, tables)
        number = f"{len(tables.revisions()) + 1:04d}"
        made: Any = command.revision(_config(connection, tables), message, autogenerate=True, rev_id=number)
    engine.dispose()
    return Path(made.path)


def _revision(connection: Connection, tables: Tables) -> str | None:
    """The revision in force; None where none is kept."""
    if not inspect(connection).has_table(tables.marker):
        return None
    return connection.scalar(select(tables.in_force.c.version_num))


def _upgrade(connection: Connection, tables: Tables) -> None:
    # Taking Alembic in costs a fifth of a second, which a process that finds everything in order need not pay.
    from alembic import command

    command.upgrade(_config(connection, tables), "head")


def _config(connection: Connection, tables: Tables) -> Any:
    from alembic.config import Config

    config = Config()
    for name, value in (
        ("script_location", str(ENVIRONMENT)),
        ("version_locations", str(tables.folder)),
        ("path_separator", "newline"),
    ):
        config.set_main_option(name, value.replace("%", "%%"))
    config.attributes.update(connection=connection, tables=tables)
    return config


def _unfit(connection: Connection, tables: Tables, why: str) -> DatabaseUnfit:
    database = connection.engine.url.render_as_string(hide_password=True)
    return DatabaseUnfit(database=database, tables=tables.name, why=why)


def _said(difference: Any) -> str:
    """One of Alembic's differences in a few words: what kind, and of what."""
    kind, *about = difference[0] if isinstance(difference, list) else difference
    return f"{kind} {' '.join(str(getattr(a, 'name', a)) for a in about if a is not None)}"
