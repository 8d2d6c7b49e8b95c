"""Events from the blocks of our peer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.ledger.fabric import query
from gateway.ledger.fabric.block import fetch
from gateway.ledger.fabric.blocks import FabricBlock
from gateway.ledger.fabric.context import Context
from gateway.ledger.port import Event
from gateway.ledger.reasons import LedgerError, Reason

EVENT = "healthtrust"
"""Name of the one chaincode event of a transaction; its payload lists what the contracts reported."""
# Blocks fetched at once: bounds what is in memory when blocks are full.
SPAN = 50


def events(ctx: Context, from_height: int, to_height: int, contracts: Sequence[str] | None = None) -> Iterator[list[Event]]:
    """One list a block that has events, ascending."""
    height = query.chain_info(ctx)[0]
    if to_height > height:
        raise LedgerError(Reason.NOT_FOUND, detail=f"the head is {height}, events were asked up to {to_height}")
    wanted = None if contracts is None else frozenset(contracts)
    for start in range(max(0, from_height), to_height + 1, SPAN):
        for block in _read(ctx, start, min(to_height, start + SPAN - 1)):
            found = [e for e in decode(ctx, block) if wanted is None or e.contract in wanted]
            if found:
                yield found


def decode(ctx: Context, block: FabricBlock) -> list[Event]:
    """Events of our chaincode in a block, in order; indexes count them all."""
    told = [
        (contract, name, args, t.id)
        for t in block.transactions
        if t.event is not None and t.event[:2] == (ctx.chaincode, EVENT)
        for contract, name, args in ctx.codec.reported(t.event[2])
    ]
    return [Event(c, n, a, block.height, block.hash, i, "0x" + id) for i, (c, n, a, id) in enumerate(told)]


def _read(ctx: Context, start: int, stop: int) -> list[FabricBlock]:
    known = [ctx.read_before(h) for h in range(start, stop + 1)]
    whole = [b for b in known if b is not None]
    return whole if len(whole) == len(known) else fetch(ctx, start, stop)
