"""Stretches of the chain: blocks with their events, checked to belong together."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.ledger.port import Block, Event, Ledger
from mirror.checkpoint import Cursor

Stretch = Iterator[tuple[Block, list[Event]]]
#: So many blocks at the end of a stretch are young enough for a node to have them without their logs.
YOUNG_BLOCKS = 2


class Moved(Exception):
    """The chain changed while it was read, or is not all there yet; look again."""


def stretch(ledger: Ledger, after: Cursor, last: int) -> Stretch:
    """Blocks that follow ``after`` up to height ``last``, with their events. Raises Moved when they do not continue it, and
    LedgerError."""
    first, previous = after.height + 1, after.hash
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
        yield block, events
        previous = block.hash


def _really_silent(ledger: Ledger, block: Block) -> None:
    """Raises Moved if the receipts of a block's transactions show events that its logs did not."""
    for outcome in ledger.outcome(list(block.transactions)):
        if outcome.events and outcome.block == block.hash:
            raise Moved(f"block {block.height} has events that the node does not list yet")
