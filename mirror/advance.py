"""The one way in which the mirror moves forward: rows, cursor and digests of whole blocks in one transaction.

A block that comes alone has a transaction of its own. While the mirror catches up, many blocks share one: each keeps its row and
its digest, states are asked for once and rows are added once a relation, because statements and flushes, not rows, are what a
small transaction costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import sqlalchemy as sa

from mirror import digest
from mirror.checkpoint import Cursor, Watch, expect, move, no_watch
from mirror.database import Database, current, end_versions, insert
from mirror.events import BlockEvents
from mirror.models import BLOCK, MENTION, Relation, Row
from mirror.projections import RELATIONS, project, states_read
from mirror.projections.base import Changes, Key, Known

BLOCK_COLUMNS = ("height", "hash", "parent", "time", "events", "digest")
MENTION_COLUMNS = ("prefix", "position")


@dataclass
class _Written:
    """What a transaction writes: ``ends`` of versions that are in the database already, ``closed`` versions that begin and end
    within the transaction (with their end)."""

    rows: dict[Relation, list[Row]] = field(default_factory=dict)
    ends: dict[Relation, list[tuple[int, Key]]] = field(default_factory=dict)
    closed: dict[Relation, dict[tuple[Key, int], int]] = field(default_factory=dict)
    blocks: list[Row] = field(default_factory=list)


def advance(database: Database, cursor: Cursor, blocks: Sequence[BlockEvents], watch: Watch = no_watch) -> Cursor:
    """Take in the blocks that follow ``cursor``, in one transaction.

    Raises DatabaseBroken when the database is no longer where this process left it, UnexpectedEvent, and the errors of
    Database.write.
    """
    watch("begin")
    with database.write() as connection:
        expect(connection, database, cursor)
        written = _Written()
        known = _known(connection, blocks)
        for read in blocks:
            cursor = _apply(written, known, cursor, read, blocks[0].block.height)
        _write(connection, written, watch)
        watch("insert mention")
        insert(connection, MENTION, MENTION_COLUMNS, sorted(m for read in blocks for m in read.mentions))
        watch("block")
        insert(connection, BLOCK, BLOCK_COLUMNS, written.blocks)
        watch("cursor")
        move(connection, cursor)
        watch("commit")
    watch("committed")
    return cursor


def _known(connection: sa.Connection, blocks: Sequence[BlockEvents]) -> Known:
    """The versions in force before the blocks, of every state that they look at."""
    wanted = states_read(e for read in blocks for e in read.events)
    return {relation: current(connection, relation, keys) for relation, keys in wanted.items()}


def _apply(written: _Written, known: Known, cursor: Cursor, read: BlockEvents, first: int) -> Cursor:
    """One block; ``known`` becomes what is in force after it. ``first``: the height at which the transaction begins."""
    block, found = read.block, {}
    if read.events:
        changes = Changes(block, known)
        project(changes, read)
        for relation, versions in changes.replaced().items():
            _end(written, relation, versions, block.height, first)
        found = changes.rows()
        for relation, rows in found.items():
            written.rows.setdefault(relation, []).extend(rows)
        changes.settle()
    after = Cursor(block.height, block.hash, digest.following(cursor.digest, block.hash, found, RELATIONS))
    written.blocks.append((block.height, block.hash, block.parent, block.time, len(read.events), after.digest))
    return after


def _end(written: _Written, relation: Relation, versions: Sequence[tuple[Key, int]], height: int, first: int) -> None:
    for key, began in versions:
        if began < first:
            written.ends.setdefault(relation, []).append((height, key))
        else:
            written.closed.setdefault(relation, {})[key, began] = height


def _write(connection: sa.Connection, written: _Written, watch: Watch) -> None:
    for relation, ends in written.ends.items():
        watch(f"end {relation.name}")
        end_versions(connection, relation, ends)
    for relation, rows in written.rows.items():
        watch(f"insert {relation.name}")
        if relation.key is not None:
            # Side by side in the index as well.
            rows.sort(key=itemgetter(relation.key_at))
            rows = _insert_closed(connection, relation, rows, written.closed.get(relation))
        insert(connection, relation.table, relation.columns, rows)


def _insert_closed(
    connection: sa.Connection, relation: Relation, rows: list[Row], closed: dict[tuple[Key, int], int] | None
) -> list[Row]:
    """Add the versions that have ended already; answers the others."""
    if not closed:
        return rows
    key_at, from_at = relation.key_at, relation.columns.index("valid_from")
    ends = [closed.get((row[key_at], row[from_at])) for row in rows]
    ended = [(*row, end) for row, end in zip(rows, ends, strict=True) if end is not None]
    insert(connection, relation.table, (*relation.columns, "valid_to"), ended)
    return [row for row, end in zip(rows, ends, strict=True) if end is None]
