"""The head, and whether it can be trusted: new enough, and of a chain that still holds every block we have seen.

A node can come back from a crash a second older than its last answer (docs/decisions/0005). What it then says is true of
another history than the one we acknowledged, so nothing is decided on it until the outbox has put our writes on again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from gateway.ledger.evm.block import from_json
from gateway.ledger.evm.context import Context
from gateway.ledger.evm.errors import translated
from gateway.ledger.evm.rpc import Request
from gateway.ledger.evm.witness import same_head
from gateway.ledger.port import Block
from gateway.ledger.reasons import LedgerError, Reason

_RECENT = 256


def head(ctx: Context) -> Block:
    """The newest block. Raises behind or reset, and as :func:`gateway.ledger.evm.witness.same_head`."""
    return same_head(ctx, with_head(ctx, ())[0])


def with_head(ctx: Context, requests: Sequence[Request]) -> tuple[Block, list[Any]]:
    """The checked head, and further requests answered in the same round trip."""
    expected = ctx.expected
    checks: list[Request] = [("eth_getBlockByNumber", ["latest", False])]
    if expected is not None:
        checks.append(("eth_getBlockByNumber", [hex(expected.height), False]))
    with translated(ctx.abis, "prepare"):
        answers = ctx.rpc.batch([*checks, *requests])
        for answer in answers[: len(checks)]:
            if isinstance(answer, Exception):
                raise answer
    newest = _present(answers[0])
    if expected is not None:
        _same_history(expected, newest, answers[1])
    _fresh(newest, ctx.max_head_age)
    _remember(ctx, newest)
    return newest, answers[len(checks) :]


def expect(ctx: Context, block: Block | None) -> None:
    """Set, or with None forget, the block the chain must contain."""
    with ctx.lock:
        ctx.expected = block
        ctx.recent.clear()
        ctx.next_nonce = None


def _present(answer: Any) -> Block:
    if answer is None:
        raise LedgerError(Reason.BEHIND, detail="the node has no block yet")
    return from_json(answer)


def _same_history(expected: Block, newest: Block, answer: Any) -> None:
    if newest.height < expected.height:
        raise LedgerError(Reason.RESET, detail=f"head is {newest.height}, we had seen {expected.height}")
    if answer is None or answer["hash"] != "0x" + expected.hash.hex():
        raise LedgerError(Reason.RESET, detail=f"block {expected.height} is no longer 0x{expected.hash.hex()}")


def _fresh(newest: Block, limit: float) -> None:
    age = time.time() - newest.time
    if age > limit:
        raise LedgerError(Reason.BEHIND, detail=f"head {newest.height} is {age:.0f} s old, limit {limit:.0f} s")
    if age < -limit:
        raise LedgerError(Reason.BEHIND, detail=f"head {newest.height} is {-age:.0f} s in the future: the clocks disagree")


def _remember(ctx: Context, newest: Block) -> None:
    """Expect from now on the newest block we saw that is ``finality`` deep."""
    with ctx.lock:
        if ctx.recent and ctx.recent[-1].height >= newest.height:
            return
        ctx.recent.append(newest)
        final = [b for b in ctx.recent if b.height <= newest.height - ctx.info.finality]
        if final and (ctx.expected is None or final[-1].height > ctx.expected.height):
            ctx.expected = final[-1]
            ctx.recent = [b for b in ctx.recent if b.height >= final[-1].height][-_RECENT:]
