"""Where the mirror stands: which ledger it is of, the last block that is in, and that nobody else moves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from mirror import digest
from mirror.database import Database, DatabaseBroken
from mirror.models import CURSOR

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
