"""Back to an earlier block: the node's chain no longer contains what the mirror holds.

Rows are only ever added and versions say where they began and ended, so going back is: delete what began later, reopen what
ended later. One
transaction, whatever the depth: readers see the old branch or the common past, never a mixture.
"""

from __future__ import annotations

import sqlalchemy as sa

from mirror.checkpoint import Cursor, Watch, expect, move, no_watch, origin
from mirror.database import Database
from mirror.events import mentions_of_rows
from mirror.models import BLOCK, CONDITION, EVENT, MENTION, Relation, position
from mirror.projections import RELATIONS


def unwind(database: Database, cursor: Cursor, height: int, watch: Watch = no_watch) -> Cursor:
    """Take out every block above ``height`` (−1: all of them)."""
    watch("unwind begin")
    with database.write() as connection:
        source = expect(connection, database, cursor)
        _unwind_mentions(connection, height, watch)
        for relation in RELATIONS:
            watch(f"unwind {relation.name}")
            _unwind_relation(connection, relation, height)
        watch("unwind block")
        connection.execute(sa.delete(BLOCK).where(BLOCK.c.height > height))
        after = _cursor_at(connection, height) if height >= 0 else origin(source)
        watch("unwind cursor")
        move(connection, after)
        connection.execute(sa.update(CONDITION).values(unwound=CONDITION.c.unwound + cursor.height - height))
        watch("unwind commit")
    watch("unwind committed")
    return after


def _unwind_relation(connection: sa.Connection, relation: Relation, height: int) -> None:
    columns = relation.table.c
    if relation.key is None:
        connection.execute(sa.delete(relation.table).where(columns.position >= position(height + 1, 0)))
        return
    connection.execute(sa.delete(relation.table).where(columns.valid_from > height))
    connection.execute(sa.update(relation.table).where(columns.valid_to > height).values(valid_to=None))


def _unwind_mentions(connection: sa.Connection, height: int, watch: Watch) -> None:
    table = EVENT.table
    stored = connection.execute(
        sa.select(*(table.c[n] for n in EVENT.columns)).where(table.c.position >= position(height + 1, 0))
    )
    rows = [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in stored]
    watch("unwind mention")
    if rows:
        gone = sa.delete(MENTION).where(MENTION.c.prefix == sa.bindparam("p"), MENTION.c.position == sa.bindparam("at"))
        connection.execute(gone, [{"p": p, "at": at} for p, at in mentions_of_rows(rows)])


def _cursor_at(connection: sa.Connection, height: int) -> Cursor:
    row = connection.execute(sa.select(BLOCK.c.hash, BLOCK.c.digest).where(BLOCK.c.height == height)).one()
    return Cursor(height, bytes(row.hash), bytes(row.digest))
