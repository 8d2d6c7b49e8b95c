"""Stretches of the chain: blocks with their events, checked to belong together; the next is read while the caller has this."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from gateway.ledger.port import Block, Ledger
from mirror.checkpoint import Cursor
from mirror.events import BlockEvents

#: So many blocks at the end of a stretch are young enough for a node to have them without their logs.
YOUNG_BLOCKS = 2
#: Blocks of the first stretch, before it is known how full they are.
FIRST_BLOCKS = 16


class Moved(Exception):
    """The chain changed while it was read, or is not all there yet; look again."""


@dataclass
class Reader:
    """Reads ledgers in stretches of about ``events`` events, of at most ``blocks`` blocks."""

    blocks: int
    events: int

    def __post_init__(self) -> None:
        self._span = min(FIRST_BLOCKS, self.blocks)

    def stretches(self, ledger: Ledger, after: Cursor, last: int) -> Generator[list[BlockEvents]]:
        """The blocks that follow ``after`` up to height ``last``. Raises Moved where they do not continue it, and LedgerError,
        both after all that came before."""
        found = self._read(ledger, after.height, after.hash, last)
        if found[-1].block.height == last:
            yield found
            return
        with ThreadPoolExecutor(1, "mirror-reader") as reader:
            while found:
                ahead = self._ahead(reader, ledger, found[-1].block, last)
                yield found
                found = ahead.result() if ahead else []

    def _ahead(self, reader: ThreadPoolExecutor, ledger: Ledger, after: Block, last: int) -> Future[list[BlockEvents]] | None:
        return reader.submit(self._read, ledger, after.height, after.hash, last) if after.height < last else None

    def _read(self, ledger: Ledger, height: int, hash_: bytes, last: int) -> list[BlockEvents]:
        found: list[BlockEvents] = []
        try:
            found.extend(stretch(ledger, height, hash_, min(last, height + self._span)))
        except Moved:
            if not found:
                raise
        count = sum(len(read.events) for read in found)
        if count > 2 * self.events:
            self._span = max(1, len(found) * self.events // count)
        elif 2 * count < self.events and len(found) == self._span:
            self._span = min(self.blocks, 2 * self._span)
        return found


def stretch(ledger: Ledger, height: int, previous: bytes, last: int) -> Iterator[BlockEvents]:
    """Blocks that follow the one at ``height`` with hash ``previous`` up to height ``last``, with their events. Raises Moved when
    they do not continue it, and LedgerError."""
    first = height + 1
    blocks = ledger.block(list(range(first, last + 1)))
    by_height = {events[0].height: events for events in ledger.events(first, last)}
    for height, block in enumerate(blocks, first):
        if block is None or (height and block.parent != previous):
            raise Moved(f"block {height} does not continue block {height - 1}")
        events = by_height.get(height, [])
        if any(e.block != block.hash for e in events):
            raise Moved(f"events of block {height} are of another block")
        if not events and block.transactions and height > last - YOUNG_BLOCKS:
            _really_silent(ledger, block)
        yield BlockEvents.of(block, events)
        previous = block.hash


def _really_silent(ledger: Ledger, block: Block) -> None:
    """Raises Moved if the receipts of a block's transactions show events that its logs did not."""
    for outcome in ledger.outcome(list(block.transactions)):
        if outcome.events and outcome.block == block.hash:
            raise Moved(f"block {block.height} has events that the node does not list yet")
