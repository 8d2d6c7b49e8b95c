"""Questions to contracts: simulated by our own peer, never ordered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.ledger.fabric import query
from gateway.ledger.fabric.codec import Invocation
from gateway.ledger.fabric.context import Context
from gateway.ledger.fabric.errors import translated
from gateway.ledger.fabric.head import head
from gateway.ledger.port import Call
from gateway.ledger.reasons import LedgerError, Reason, Stage

ATTEMPTS = 20
"""How often many questions are asked again because a block came in between."""


def read_many(ctx: Context, calls: Sequence[Call], at: int | bytes | None = None) -> list[Any]:
    """All answers over one state. A peer keeps the newest state only: ``at`` must be its head, and still be when all is answered;
    else not_found. Raises behind when blocks come so fast that many questions never meet one state."""
    encoded = [ctx.encode(call) for call in calls]
    if not encoded:
        return []
    for _ in range(ATTEMPTS):
        seen = _place(ctx, at)
        answers = _ask(ctx, encoded)
        # One question is one simulation and so over one state, at the head we checked or a newer one.
        if (len(encoded) == 1 and at is None) or query.chain_info(ctx)[1] == seen:
            return [ctx.codec.decode(i.function, a) for i, a in zip(encoded, answers, strict=True)]
    raise LedgerError(Reason.BEHIND, detail=f"{len(encoded)} questions met another block {ATTEMPTS} times")


def _place(ctx: Context, at: int | bytes | None) -> bytes:
    """Hash of the head that the questions are asked at."""
    if at is None:
        return head(ctx).hash
    height, hash = query.chain_info(ctx)
    if at not in (height, hash):
        shown = at if isinstance(at, int) else f"0x{at.hex()}"
        raise LedgerError(Reason.NOT_FOUND, detail=f"the head is {height}, and Fabric keeps no older state: asked at {shown}")
    return hash


def _ask(ctx: Context, invocations: Sequence[Invocation]) -> list[bytes]:
    stage: Stage = "endorse" if any(i.function.writes for i in invocations) else "prepare"
    with translated(stage, refusal=ctx.codec.refusal):
        return ctx.gateway.evaluate_many([ctx.propose(i) for i in invocations])
