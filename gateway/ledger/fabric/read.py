"""Questions to contracts: simulated by our own peer, never ordered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.ledger.fabric import query
from gateway.ledger.fabric.codec import Invocation, together
from gateway.ledger.fabric.context import Context
from gateway.ledger.fabric.errors import translated
from gateway.ledger.fabric.head import head
from gateway.ledger.port import Call
from gateway.ledger.reasons import LedgerError, Reason, Stage

ATTEMPTS = 20
"""How often questions are asked again because a block came in between."""


def read_many(ctx: Context, calls: Sequence[Call], at: int | bytes | None = None) -> list[Any]:
    """All answers over one state. A peer keeps the newest state only: ``at`` must be its head, and still be when all is answered;
    else not_found. Raises behind when blocks come so fast that questions never meet one state."""
    encoded = [ctx.encode(call) for call in calls]
    if not encoded:
        return []
    # A proposal is one simulation and so over one state; what tries out a write needs one of its own.
    alone = len(encoded) == 1 or any(i.function.writes for i in encoded)
    one_state = at is None and (len(encoded) == 1 or not alone)
    for _ in range(ATTEMPTS):
        seen = _place(ctx, at)
        answers = _each(ctx, encoded) if alone else _together(ctx, encoded)
        if one_state:
            return answers
        height, hash = query.chain_info(ctx)
        if hash == seen:
            return answers
        if at is not None:
            raise _gone(at, height)
    raise LedgerError(Reason.BEHIND, detail=f"{len(encoded)} questions met another block {ATTEMPTS} times")


def _place(ctx: Context, at: int | bytes | None) -> bytes:
    """Hash of the head that the questions are asked at."""
    if at is None:
        return head(ctx).hash
    newest = ctx.newest
    if newest is not None and at in (newest.height, newest.hash) and len(ctx.gateway.peers) == 1:
        return newest.hash  # the only peer has shown it: that it is still the head is seen afterwards
    height, hash = query.chain_info(ctx)
    if at not in (height, hash):
        raise _gone(at, height)
    return hash


def _gone(at: int | bytes, height: int) -> LedgerError:
    shown = at if isinstance(at, int) else f"0x{at.hex()}"
    return LedgerError(Reason.NOT_FOUND, detail=f"the head is {height}, and Fabric keeps no older state: asked at {shown}")


def _together(ctx: Context, asked: Sequence[Invocation]) -> list[Any]:
    args, transient = together(asked)
    with translated("prepare", refusal=ctx.codec.refusal):
        answer = ctx.gateway.evaluate(ctx.gateway.propose(ctx.chaincode, args, transient))
    return ctx.codec.decode_many([i.function for i in asked], answer)


def _each(ctx: Context, asked: Sequence[Invocation]) -> list[Any]:
    stage: Stage = "endorse" if any(i.function.writes for i in asked) else "prepare"
    with translated(stage, refusal=ctx.codec.refusal):
        answers = ctx.gateway.evaluate_many([ctx.propose(i) for i in asked])
    return [ctx.codec.decode(i.function, a) for i, a in zip(asked, answers, strict=True)]
