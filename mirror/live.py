"""The tree of live consents at a block, kept for the blocks that were asked for last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import sqlalchemy as sa

from core.attestation import Statement
from core.errors import Malformed
from core.live import LiveTree
from mirror.authorisations import live_consents
from mirror.checkpoint import load
from mirror.database import Database
from mirror.models import BLOCK

#: A tree of a million consents holds about 0.6 GB; statements hold 200 bytes.
TREES_KEPT, STATEMENTS_KEPT = 2, 1000


@dataclass(frozen=True)
class Held:
    """A block of the mirror: ``time`` in UTC seconds, ``digest`` the mirror's after it."""

    ledger_id: bytes
    height: int
    hash: bytes
    time: int
    digest: bytes


class Live:
    """Trees and statements of one mirror's blocks; safe to use by several threads. A block that was replaced is told by its
    digest, so that what is kept is never that of another branch."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._trees: OrderedDict[bytes, LiveTree] = OrderedDict()
        self._statements: OrderedDict[bytes, Statement] = OrderedDict()

    def tree(self, block: Held) -> LiveTree:
        """All consents in force as of the block. The first question of a block reads them all: seconds for a million."""
        with self._lock:
            found = self._trees.get(block.digest)
            if found is None:
                with self.database.read() as connection:
                    _require(connection, block)
                    found = LiveTree(live_consents(connection, block.height))
                self._trees[block.digest] = found
                _shorten(self._trees, TREES_KEPT)
            return found

    def statement(self, block: Held) -> Statement:
        """What this mirror says of the block."""
        found = self._statements.get(block.digest)
        if found is None:
            tree = self.tree(block)
            found = Statement(block.ledger_id, block.height, block.hash, block.digest, tree.root, len(tree))
            with self._lock:
                self._statements[block.digest] = found
                _shorten(self._statements, STATEMENTS_KEPT)
        return found


def _shorten(kept: OrderedDict[bytes, LiveTree] | OrderedDict[bytes, Statement], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)


def _require(connection: sa.Connection, block: Held) -> None:
    if connection.scalar(sa.select(BLOCK.c.digest).where(BLOCK.c.height == block.height)) != block.digest:
        raise Malformed("block_unknown", detail=f"block {block.height} was replaced while it was asked for; ask again")


def held(connection: sa.Connection, height: int | None = None, time: int | None = None) -> Held:
    """The block at ``height``, or the last one not after ``time`` (UTC seconds), or the newest.

    Malformed if the mirror does not hold it, or if both are given."""
    if height is not None and time is not None:
        raise Malformed("moment_malformed", detail="name a height or a time, not both")
    found = load(connection)
    if found is None or found[1].height < 0:
        raise Malformed("block_unknown", detail="the mirror is empty")
    query = sa.select(BLOCK.c.height, BLOCK.c.hash, BLOCK.c.time, BLOCK.c.digest)
    if time is None:
        query = query.where(BLOCK.c.height == (found[1].height if height is None else height))
    else:
        query = query.where(BLOCK.c.height == _height_at(connection, time, found[1].height))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise Malformed("block_unknown", detail=f"the mirror holds blocks 0 to {found[1].height}")
    return Held(found[0].ledger_id, row.height, bytes(row.hash), row.time, bytes(row.digest))


def _height_at(connection: sa.Connection, time: int, head: int) -> int:
    """Times of blocks never fall, so halving finds the last one not after ``time``; −1 before block 0."""
    low, high = -1, head
    while low < high:
        middle = (low + high + 1) // 2
        at = connection.scalar(sa.select(BLOCK.c.time).where(BLOCK.c.height == middle))
        low, high = (middle, high) if at is not None and at <= time else (low, middle - 1)
    return low
