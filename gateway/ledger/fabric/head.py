"""The head, and whether it can be trusted: no older than the limit, and of a chain that still holds every block we have seen.
On an idle channel a head that grows old has a block brought about (:mod:`.beat`).

Blocks of a Fabric channel are final, so a peer that is lower than we have seen merely lags (``behind``); one with another block
at the same height is of another history (``reset``).
"""

from __future__ import annotations

import time

from gateway.ledger.fabric import query
from gateway.ledger.fabric.beat import beat
from gateway.ledger.fabric.blocks import FabricBlock
from gateway.ledger.fabric.context import Context
from gateway.ledger.port import Block
from gateway.ledger.reasons import LedgerError, Reason

PAUSE_SECONDS = 2.0
"""After a block could not be brought about, how long an old head is refused without trying again."""


def head(ctx: Context) -> Block:
    """The newest block. Raises behind or reset."""
    expected = ctx.expected  # before asking: another thread may see a newer block meanwhile
    newest = _fresh(ctx, _newest(ctx))
    if expected is not None and newest is not ctx.newest:
        _same_history(ctx, expected, newest)
    block = to_block(newest)
    with ctx.lock:
        if ctx.expected is None or block.height >= ctx.expected.height:
            ctx.expected, ctx.newest = block, newest
    return block


def expect(ctx: Context, block: Block | None) -> None:
    """Set, or with None forget, the block the chain must contain."""
    ctx.forget()
    with ctx.lock:
        ctx.expected = block


def to_block(block: FabricBlock) -> Block:
    """The port's block; transaction ids with 0x."""
    return Block(block.height, block.hash, block.parent, block.time, tuple("0x" + id for id in block.ids))


def _newest(ctx: Context) -> FabricBlock:
    height, hash = query.chain_info(ctx)
    newest = ctx.newest
    if newest is not None and newest.hash == hash:
        return newest
    found = query.by_height(ctx, height)
    if found is None:
        raise LedgerError(Reason.BEHIND, detail=f"the peer says it has block {height}, but does not show it")
    return found


def _same_history(ctx: Context, expected: Block, newest: FabricBlock) -> None:
    if newest.height < expected.height:
        raise LedgerError(Reason.BEHIND, detail=f"the peer is at block {newest.height}, we had seen {expected.height}")
    if newest.parent == expected.hash:
        return
    there = newest if newest.height == expected.height else query.by_height(ctx, expected.height)
    if there is None or there.hash != expected.hash:
        raise LedgerError(Reason.RESET, detail=f"block {expected.height} is no longer 0x{expected.hash.hex()}")


def _fresh(ctx: Context, newest: FabricBlock) -> FabricBlock:
    """The newest block, no older than the limit. From half of it on somebody has a new one made; who can still do with the old
    one does not wait. Raises behind."""
    limit = ctx.max_head_age
    if _age(ctx, newest) < -limit:
        raise LedgerError(
            Reason.BEHIND, detail=f"block {newest.height} is {-_age(ctx, newest):.0f} s in the future: the clocks disagree"
        )
    if _age(ctx, newest) <= limit / 2:
        return newest
    old = _age(ctx, newest) > limit
    if ctx.beating.acquire(timeout=ctx.gateway.timeout if old else 0):
        try:
            newest = _made_newer(ctx, newest)
        finally:
            ctx.beating.release()
    if _age(ctx, newest) > limit:
        raise LedgerError(
            Reason.BEHIND, detail=f"block {newest.height} is {_age(ctx, newest):.0f} s old, and no new one comes: {ctx.unmoved}"
        )
    return newest


def _made_newer(ctx: Context, newest: FabricBlock) -> FabricBlock:
    """What our peer has after a block was brought about, unless it failed just now; why it failed is kept for who is refused."""
    found = _newest(ctx)
    if _age(ctx, found) <= ctx.max_head_age / 2 or time.monotonic() < ctx.beat_after:
        return found
    try:
        beat(ctx)
    except LedgerError as e:
        ctx.unmoved, ctx.beat_after = str(e), time.monotonic() + PAUSE_SECONDS
        return found
    return _newest(ctx)


def _age(ctx: Context, block: FabricBlock) -> float:
    return ctx.clock() - block.time
