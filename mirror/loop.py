"""The follower: from the block the database holds to the head of the chain, and back where the chain changed its mind.

Order at each step: is the chain still the one we hold (else unwind) → fetch a stretch → take it in by whole blocks. Nothing is
remembered between steps but the cursor, which is what the database says, so a crash anywhere costs only the work of one
transaction.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import sqlalchemy as sa
import structlog

from gateway.ledger.port import Block, Ledger
from gateway.ledger.reasons import LedgerError, Reason
from mirror.advance import advance
from mirror.checkpoint import Cursor, Source, Watch, WrongLedger, begin, no_watch
from mirror.condition import Reporter, State
from mirror.database import Database, DatabaseBroken, DatabaseUnavailable
from mirror.events import BlockEvents
from mirror.migrations import RebuildNeeded
from mirror.models import BLOCK
from mirror.projections.base import UnexpectedEvent
from mirror.source import Moved, Reader
from mirror.unwind import unwind

log = structlog.get_logger("mirror")

#: Most blocks that share a transaction.
BLOCKS_A_TRANSACTION = 500
#: Events after which a transaction takes no further block: enough that statements and flushes cost little beside rows, and less
#: than a second's work.
EVENTS_A_TRANSACTION = 10_000
#: How often in one go the chain may move while it is read, and the pause after each time.
MOST_MOVES, MOVED_SECONDS = 5, 0.05
BACKOFF_SECONDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class TooDeep(RuntimeError):
    """The chain differs from the mirror below the depth that may be unwound: somebody has to look."""


HALTS = (TooDeep, WrongLedger, DatabaseBroken, UnexpectedEvent, RebuildNeeded)


@dataclass
class Follower:
    """Follows one ledger into one database. ``depth``: most blocks that may be unwound; ``blocks_per_read``: longest stretch
    fetched at once; ``events``: so many share a transaction while catching up."""

    ledger: Ledger
    database: Database
    depth: int
    blocks_per_read: int = 200
    watch: Watch = no_watch
    events: int = EVENTS_A_TRANSACTION
    cursor: Cursor = field(init=False)

    def __post_init__(self) -> None:
        self._reader = Reader(self.blocks_per_read, self.events)
        self.database.prepare()
        self.reload()

    def reload(self) -> None:
        """Take the cursor from the database again, after a transaction of which nobody knows whether it was committed."""
        info = self.ledger.info()
        self.cursor = begin(self.database, Source(info.ledger_id, info.genesis, info.chain))

    def catch_up(self, stop: threading.Event | None = None) -> int:
        """Go to the head; answers its height. The mirror stays behind it when ``stop`` is set or the chain keeps moving while
        it is read, and above it while the node is far behind. Raises LedgerError, the errors of :data:`HALTS`,
        DatabaseUnavailable."""
        moved = 0
        while True:
            head = self._head()
            if not self._rejoin(head) or self.cursor.height >= head.height:
                return head.height
            if moved == MOST_MOVES or (stop is not None and stop.is_set()):
                return head.height
            try:
                self._take(head.height, stop)
            except Moved as e:
                moved += 1
                log.info("the chain moved while it was read", detail=str(e))
                time.sleep(MOVED_SECONDS)

    def _head(self) -> Block:
        try:
            return self.ledger.head()
        except LedgerError as e:
            if e.reason is not Reason.RESET:
                raise
            # Whether the node lost blocks is judged here against the database, and unwound; the driver's own memory only gets in
            # the way.
            self.ledger.expect(None)
            return self.ledger.head()

    def _rejoin(self, head: Block) -> bool:
        """Unwind to the last block that the chain and the mirror share. False: the node is far behind us, so wait for it."""
        common = self._common(head)
        lost = self.cursor.height - common
        if lost == 0:
            return True
        if lost > self.depth:
            if common == head.height:
                log.warning("the node is far behind the mirror", head=head.height, mirror=self.cursor.height)
                return False
            raise TooDeep(
                f"the chain differs from the mirror below block {self.cursor.height - self.depth}, more than {self.depth} blocks "
                f"(mirror.unwind_blocks) below the mirror's head {self.cursor.height}: find out why, then rebuild"
            )
        log.warning("unwinding", from_height=self.cursor.height, to_height=common)
        self.cursor = unwind(self.database, self.cursor, common, self.watch)
        return True

    def _common(self, head: Block) -> int:
        height = min(self.cursor.height, head.height)
        floor = max(-1, self.cursor.height - self.depth - 1)
        if height <= floor:
            return height if self._same(height) else height - 1
        while height > floor and not self._same(height):
            height -= 1
        return height

    def _same(self, height: int) -> bool:
        if height < 0:
            return True
        theirs = self.ledger.block(height)
        return theirs is not None and theirs.hash == self._own_hash(height)

    def _own_hash(self, height: int) -> bytes:
        if height == self.cursor.height:
            return self.cursor.hash
        with self.database.read() as connection:
            return bytes(connection.scalar(sa.select(BLOCK.c.hash).where(BLOCK.c.height == height)) or b"")

    def _take(self, to_height: int, stop: threading.Event | None) -> None:
        with closing(self._reader.stretches(self.ledger, self.cursor, to_height)) as stretches:
            for stretch in stretches:
                for blocks in transactions(stretch, self.events):
                    self._advance(blocks)
                if stop is not None and stop.is_set():
                    return

    def _advance(self, blocks: list[BlockEvents]) -> None:
        try:
            self.cursor = advance(self.database, self.cursor, blocks, self.watch)
        except UnexpectedEvent:
            if len(blocks) == 1:
                raise
            # The blocks before the one that halts the mirror are good.
            for block in blocks:
                self._advance([block])


def transactions(stretch: Iterable[BlockEvents], events: int) -> Iterator[list[BlockEvents]]:
    """The blocks that share a transaction: as many as have about so many events."""
    run: list[BlockEvents] = []
    count = 0
    for read in stretch:
        if run and (count + len(read.events) > events or len(run) == BLOCKS_A_TRANSACTION):
            yield run
            run, count = [], 0
        run.append(read)
        count += len(read.events)
    if run:
        yield run


def follow(follower: Follower, stop: threading.Event, poll_seconds: float) -> None:
    """Follow until ``stop``. Outages of node and database are waited out with growing pauses; the errors of :data:`HALTS` end
    it."""
    reporter, failures = Reporter(follower.database), 0
    while not stop.is_set():
        try:
            if failures:
                follower.reload()
            _report(reporter, follower, follower.catch_up(stop))
            failures = 0
            stop.wait(poll_seconds)
        except (LedgerError, DatabaseUnavailable) as e:
            pause = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
            failures += 1
            log.warning("cannot follow", error=str(e), next_try_seconds=pause)
            say(reporter, "waiting", str(e))
            stop.wait(pause)
        except HALTS as e:
            log.critical("halted", error=str(e))
            say(reporter, "halted", str(e))
            raise
    say(reporter, "stopped", "")


def _report(reporter: Reporter, follower: Follower, head: int) -> None:
    if follower.cursor.height > head:
        reporter.report("waiting", f"the node is only at block {head}")
    else:
        reporter.report("following" if follower.cursor.height == head else "catching up")


def say(reporter: Reporter, state: State, detail: str) -> None:
    """Report, or log that it cannot be reported."""
    try:
        reporter.report(state, detail)
    except (DatabaseUnavailable, DatabaseBroken) as e:
        log.warning("cannot write the condition", error=str(e))
