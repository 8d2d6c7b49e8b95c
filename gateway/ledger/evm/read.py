"""Questions to contracts, one or many in a round trip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.ledger.evm.abi import Function
from gateway.ledger.evm.block import fetch
from gateway.ledger.evm.context import Context, tag
from gateway.ledger.evm.errors import to_ledger_error, translated
from gateway.ledger.evm.head import with_head
from gateway.ledger.evm.rpc import Request, RpcError
from gateway.ledger.evm.witness import same_answers
from gateway.ledger.port import Call
from gateway.ledger.reasons import LedgerError, Reason


def read_many(ctx: Context, calls: Sequence[Call], at: int | bytes | None = None) -> list[Any]:
    """All answers over one state: the given block, or the head, which is checked in the same round trip. Should a block come in
    between the answers, they are asked once more at the block that was checked. A second node, where one is named, must say
    the same."""
    encoded = [ctx.encode(call) for call in calls]
    if at is None:
        newest, answers = with_head(ctx, [*_requests(encoded, None), ("eth_blockNumber", [])])
        if answers.pop() != hex(newest.height):
            answers = _ask(ctx, encoded, newest.hash)
        same_answers(ctx, encoded, answers, newest.hash)
    else:
        answers = _ask(ctx, encoded, at)
        same_answers(ctx, encoded, answers, at)
    return [_decode(ctx, function, answer) for (function, _), answer in zip(encoded, answers, strict=True)]


def _ask(ctx: Context, encoded: Sequence[tuple[Function, dict[str, Any]]], at: int | bytes) -> list[Any]:
    with translated(ctx.abis, "prepare"):
        answers = ctx.rpc.batch(_requests(encoded, at))
    if ctx.comet and isinstance(at, bytes) and any(isinstance(a, RpcError) for a in answers) and fetch(ctx, at) is None:
        # CometBFT nodes only say that they crashed over it.
        raise LedgerError(Reason.NOT_FOUND, detail=f"no block {at.hex()}")
    return answers


def _requests(encoded: Sequence[tuple[Function, dict[str, Any]]], at: int | bytes | None) -> list[Request]:
    where = tag(at)
    return [("eth_call", [tx, where]) for _, tx in encoded]


def _decode(ctx: Context, function: Function, answer: Any) -> Any:
    if isinstance(answer, RpcError):
        raise to_ledger_error(answer, ctx.abis, "endorse" if function.writes else "prepare")
    data = bytes.fromhex(answer[2:])
    if function.outputs and not data:
        raise LedgerError(Reason.NOT_FOUND, detail=f"there was no contract {function.contract} at this block")
    return function.decode(data)
