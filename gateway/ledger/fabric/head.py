"""The head, and whether it can be trusted: no older than what other organisations' peers have, and of a chain that still holds
every block we have seen.

Blocks of a Fabric channel are final, so a peer that is lower than we have seen merely lags (``behind``); one with another block
at the same height is of another history (``reset``).
"""

from __future__ import annotations

from gateway.ledger.fabric import query
from gateway.ledger.fabric.blocks import FabricBlock
from gateway.ledger.fabric.context import Context
from gateway.ledger.port import Block
from gateway.ledger.reasons import LedgerError, Reason

LAG_BLOCKS = 10
"""A peer that lacks more blocks than this, and whose newest is older than the limit, is behind at first sight."""


def head(ctx: Context) -> Block:
    """The newest block. Raises behind or reset."""
    expected = ctx.expected  # before asking: another thread may see a newer block meanwhile
    newest = _newest(ctx)
    if expected is not None and newest is not ctx.newest:
        _same_history(ctx, expected, newest)
    _fresh(ctx, newest)
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


def _fresh(ctx: Context, newest: FabricBlock) -> None:
    limit, age = ctx.max_head_age, ctx.clock() - newest.time
    if age < -limit:
        raise LedgerError(Reason.BEHIND, detail=f"block {newest.height} is {-age:.0f} s in the future: the clocks disagree")
    witnesses = ctx.witnesses
    witnesses.ask()
    missing = witnesses.height - newest.height
    lacking = witnesses.lacking(newest.height)
    if lacking > limit or (missing > LAG_BLOCKS and age > limit):
        raise LedgerError(Reason.BEHIND, detail=f"our peer is at block {newest.height}, another has {witnesses.height}")
    if witnesses.silent() > limit:
        raise LedgerError(
            Reason.BEHIND, detail=f"no other organisation's peer answered for {witnesses.silent():.0f} s: we may be cut off"
        )
