"""Where a write stands."""

from __future__ import annotations

from gateway.ledger.fabric import query
from gateway.ledger.fabric.blocks import VALID, FabricBlock
from gateway.ledger.fabric.context import Context
from gateway.ledger.fabric.errors import validation_error
from gateway.ledger.fabric.events import decode
from gateway.ledger.port import Outcome


def outcome_many(ctx: Context, ids: list[str]) -> list[Outcome]:
    """Many writes' states: a block is fetched once, whatever the number of its transactions."""
    blocks: list[FabricBlock] = []
    return [_outcome(ctx, id, blocks) for id in ids]


def _outcome(ctx: Context, id: str, blocks: list[FabricBlock]) -> Outcome:
    bare = id[2:]
    block = next((b for b in blocks if b.find(bare) is not None), None)
    if block is None:
        block = query.by_transaction(ctx, bare)
        if block is None:
            return Outcome(id, "pending" if ctx.lately_sent(id) else "unknown")
        blocks.append(block)
    return _settled(ctx, id, block)


def _settled(ctx: Context, id: str, block: FabricBlock) -> Outcome:
    """What a block says of a transaction is final: the channel never judges the same id again."""
    transaction = block.find(id[2:])
    if transaction is None:
        return Outcome(id, "unknown")
    if transaction.code != VALID:
        return Outcome(id, "failed", block.height, block.hash, validation_error(transaction.code), transaction.code)
    events = tuple(e for e in decode(ctx, block) if e.transaction == id)
    return Outcome(id, "committed", block.height, block.hash, events=events)
