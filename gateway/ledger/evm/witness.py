"""A second node that is asked what our own was asked, where the settings name one: a node that answers wrongly, by fault or by
somebody's will, is found out before anything is served on its word.

An opened scope is never put to it (``Consent.decide``): what was granted to whom is for our own node alone. It does learn whom we
ask about, so it should be a node whose operator may know that.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from gateway.ledger.evm.abi import Function
from gateway.ledger.evm.context import Context, tag
from gateway.ledger.evm.errors import to_ledger_error, translated
from gateway.ledger.evm.rpc import Request, Rpc, RpcError
from gateway.ledger.port import Block
from gateway.ledger.reasons import LedgerError, Reason

LATER_SECONDS = 5.0
"""How much later than our own node the other may have a block."""
_PAUSE_SECONDS = 0.02
_SECRET = frozenset({("Consent", "decide"), ("Consent", "decideMany")})
Encoded = tuple[Function, dict[str, Any]]


def same_head(ctx: Context, head: Block) -> Block:
    """The head, once the second node has the same block. Raises as :func:`same_answers`."""
    same_answers(ctx, (), (), head.hash)
    return head


def same_answers(ctx: Context, asked: Sequence[Encoded], answers: Sequence[Any], at: int | bytes) -> None:
    """Nothing where no second node is named, or where it has this block and says the same. Raises endorsement where it says
    something else, behind where it does not have the block, unreachable or timeout where it does not answer."""
    if ctx.witness is None:
        return
    pairs = [(ours, one) for ours, one in zip(answers, asked, strict=True) if _open(one[0])]
    theirs = _answers(ctx, ctx.witness, [("eth_call", [tx, tag(at)]) for _, (_, tx) in pairs], at)
    for (ours, (function, _)), other in zip(pairs, theirs, strict=True):
        if _said(ctx, ours) != _said(ctx, other):
            raise LedgerError(
                Reason.ENDORSEMENT, detail=f"our node and {ctx.witness.url} differ about {function.contract}.{function.name}"
            )


def _open(function: Function) -> bool:
    return (function.contract, function.name) not in _SECRET


def _answers(ctx: Context, witness: Rpc, requests: list[Request], at: int | bytes) -> list[Any]:
    """What it says, once it has the block."""
    by_hash = isinstance(at, bytes)
    block: Request = (
        "eth_getBlockByHash" if by_hash else "eth_getBlockByNumber",
        [tag(at)["blockHash"] if by_hash else tag(at), False],
    )
    deadline = time.monotonic() + LATER_SECONDS
    while True:
        with translated(ctx.abis, "prepare"):
            known, *answers = witness.batch([block, *requests])
        if isinstance(known, dict):
            return answers
        if time.monotonic() > deadline:
            raise LedgerError(Reason.BEHIND, detail=f"{witness.url} does not have the block {tag(at)} of our node")
        time.sleep(_PAUSE_SECONDS)


def _said(ctx: Context, answer: Any) -> tuple[str, str]:
    if not isinstance(answer, RpcError):
        return "", str(answer)
    refusal = to_ledger_error(answer, ctx.abis, "prepare")
    return refusal.reason.value, refusal.detail
