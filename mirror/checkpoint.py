"""Where the mirror stands, and the one way in which it moves forward: a block's rows, the cursor and the digest in one
transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from gateway.ledger.port import Block, Event
from mirror import digest
from mirror.database import Database, DatabaseBroken, current, end_versions, insert
from mirror.models import BLOCK, CURSOR, MENTION, Relation, Row
from mirror.projections import RELATIONS, project, states_read
from mirror.projections.base import Changes

BLOCK_COLUMNS = ("height", "hash", "parent", "time", "events", "digest")
#: Called with the name of each step of a write, before it. Tests stop the process there.
Watch = Callable[[str], None]


def no_watch(step: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Source:
    """Which ledger a mirror is of."""

    ledger_id: bytes
    genesis: bytes
    chain: int

    def __str__(self) -> str:
        return f"ledger 0x{self.ledger_id.hex()} (genesis 0x{self.genesis.hex()}, chain {self.chain})"


@dataclass(frozen=True)
class Cursor:
    """The last block that is in. Before block 0: height −1 and a zero hash."""

    height: int
    hash: bytes
    digest: bytes


class WrongLedger(RuntimeError):
    """The database mirrors another ledger than the node serves."""


def origin(source: Source) -> Cursor:
    """The cursor before block 0."""
    return Cursor(-1, bytes(32), digest.first(source.ledger_id, source.genesis))


def load(connection: sa.Connection, lock: bool = False) -> tuple[Source, Cursor] | None:
    """Source and cursor, or None in an empty database; ``lock``: nobody else moves it until the end of the transaction."""
    query = sa.select(CURSOR)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        return None
    source = Source(bytes(row.ledger_id), bytes(row.genesis), row.chain)
    return source, Cursor(row.height, bytes(row.hash), bytes(row.digest))


def begin(database: Database, source: Source) -> Cursor:
    """The cursor of this database, set up if it is empty. WrongLedger if it mirrors something else."""
    with database.write() as connection:
        found = load(connection)
        if found is None:
            cursor = origin(source)
            connection.execute(sa.insert(CURSOR).values(id=1, **asdict(source), **asdict(cursor)))
            return cursor
    if found[0] != source:
        raise WrongLedger(
            f"{database.name} mirrors {found[0]}, the node serves {source}: set the right node, or another mirror database"
        )
    return found[1]


def advance(database: Database, cursor: Cursor, blocks: Sequence[tuple[Block, list[Event]]], watch: Watch = no_watch) -> Cursor:
    """Take in following blocks in one transaction: one block with events, or a run without any.

    Raises DatabaseBroken when the database is no longer where this process left it, UnexpectedEvent, and the errors of
    Database.write.
    """
    watch("begin")
    with database.write() as connection:
        expect(connection, database, cursor)
        after = cursor
        rows: list[Row] = []
        for block, events in blocks:
            found = _apply(connection, block, events, watch)
            after = Cursor(block.height, block.hash, digest.following(after.digest, block.hash, found, RELATIONS))
            rows.append((block.height, block.hash, block.parent, block.time, len(events), after.digest))
        watch("block")
        insert(connection, BLOCK, BLOCK_COLUMNS, rows)
        watch("cursor")
        move(connection, after)
        watch("commit")
    watch("committed")
    return after


def expect(connection: sa.Connection, database: Database, cursor: Cursor) -> Source:
    """What the database mirrors. DatabaseBroken unless it stands at ``cursor``; locks the cursor until the end of the
    transaction."""
    found = load(connection, lock=True)
    if found is None or found[1] != cursor:
        raise DatabaseBroken(
            f"{database.name}: somebody else moved this mirror from block {cursor.height}: run one follower for a database"
        )
    return found[0]


def move(connection: sa.Connection, cursor: Cursor) -> None:
    """Set the cursor."""
    connection.execute(sa.update(CURSOR).values(**asdict(cursor)))


def _apply(connection: sa.Connection, block: Block, events: list[Event], watch: Watch) -> dict[Relation, list[Row]]:
    if not events:
        return {}
    changes = Changes(block)
    for relation, wanted in states_read(events).items():
        changes.remember(relation, current(connection, relation, wanted))
    project(changes, events)
    for relation, keys in changes.replaced().items():
        if keys:
            watch(f"end {relation.name}")
            end_versions(connection, relation, keys, block.height)
    rows = changes.rows()
    for relation, found in rows.items():
        watch(f"insert {relation.name}")
        insert(connection, relation.table, relation.columns, found)
    watch("insert mention")
    insert(connection, MENTION, ("prefix", "position"), changes.mentions)
    return rows
