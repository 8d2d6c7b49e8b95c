"""Versions of the mirror's tables, and the way from each to the next.

A step may also say that the mirror must be built anew (``raise RebuildNeeded``): everything in it comes from the chain, so that
is always possible.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from mirror.models import SCHEMA_VERSION, metadata


class RebuildNeeded(RuntimeError):
    """These tables cannot be taken over by this program; the message says what to run."""


def _first(connection: sa.Connection) -> None:
    metadata.create_all(connection)


def _indexes(connection: sa.Connection) -> None:
    """What an organisation did, and what one contract reported, are found without reading everything."""
    for table in metadata.tables.values():
        for index in table.indexes:
            index.create(connection, checkfirst=True)


#: Step n leads from version n to n+1.
STEPS: tuple[Callable[[sa.Connection], None], ...] = (_first, _indexes)


def version(connection: sa.Connection) -> int:
    """The version of the tables there are, 0 for none."""
    if not sa.inspect(connection).has_table(SCHEMA_VERSION.name):
        return 0
    return connection.scalar(sa.select(SCHEMA_VERSION.c.version)) or 0


def upgrade(connection: sa.Connection) -> None:
    """Bring the tables to this program's version, within the caller's transaction. RebuildNeeded if they are newer than the
    program."""
    SCHEMA_VERSION.create(connection, checkfirst=True)
    found = version(connection)
    if found > len(STEPS):
        raise RebuildNeeded(
            f"these tables have version {found}, this program knows {len(STEPS)}: use a newer program, or a new database"
        )
    for step in STEPS[found:]:
        step(connection)
    if found < len(STEPS):
        connection.execute(sa.delete(SCHEMA_VERSION))
        connection.execute(sa.insert(SCHEMA_VERSION).values(version=len(STEPS)))
