"""Sending what was signed. The same bytes again are no error: the node takes a transaction once."""

from __future__ import annotations

import time
from collections.abc import Sequence

from gateway.ledger.evm.context import Context
from gateway.ledger.evm.errors import to_ledger_error, translated
from gateway.ledger.evm.outcome import TAKEN_SECONDS, known_to
from gateway.ledger.evm.rpc import RpcError
from gateway.ledger.port import Prepared, Sent
from gateway.ledger.reasons import LedgerError, Reason


def submit_many(ctx: Context, prepared: list[Prepared]) -> list[Sent | LedgerError]:
    """Send many in one round trip, in order; each has its own answer. Raises only when the node could not be asked at all."""
    with translated(ctx.abis, "submit", prepared[0].id if len(prepared) == 1 else None):
        answers = ctx.rpc.batch([("eth_sendRawTransaction", ["0x" + p.raw.hex()]) for p in prepared])
    said = [_answer(ctx, p, a) for p, a in zip(prepared, answers, strict=True)]
    if ctx.comet:
        _remember(ctx, [a.id for a in said if isinstance(a, Sent)])
    return said


def _answer(ctx: Context, prepared: Prepared, answer: object) -> Sent | LedgerError:
    if not isinstance(answer, RpcError):
        return Sent(prepared.id, time.time())
    error = to_ledger_error(answer, ctx.abis, "submit", prepared.id)
    if error.reason is Reason.NONCE:
        error = _unless_known(ctx, error, prepared.id)
    if error.reason is Reason.DUPLICATE:
        return Sent(prepared.id, time.time())
    with ctx.lock:
        ctx.next_nonce = None
    if error.reason is Reason.UNDERPRICED:
        _take_price(ctx)
    return error


def _take_price(ctx: Context) -> None:
    """Sign for what the node asks now, and a quarter more so that a rising fee does not leave us behind again. Never on our
    own: on a chain without fees an account has nothing to pay with."""
    with translated(ctx.abis, "submit"):
        ctx.gas_price = max(ctx.gas_price, int(ctx.rpc.call("eth_gasPrice"), 16) * 5 // 4)


def _remember(ctx: Context, ids: Sequence[str]) -> None:
    """Keep for a moment what a CometBFT node took: it may not list it."""
    now = time.monotonic()
    with ctx.lock:
        young = {id: at for id, at in ctx.taken.items() if now - at < TAKEN_SECONDS}
        ctx.taken = {**young, **dict.fromkeys(ids, now)}


def _unless_known(ctx: Context, error: LedgerError, id: str) -> LedgerError:
    """``nonce too low`` is also what nodes say of a transaction that is already mined: then it is a duplicate. Where that cannot
    be found out, nobody may take the write for lost."""
    try:
        with translated(ctx.abis, "submit", id):
            known = id in known_to(ctx, [id])
    except LedgerError as unanswered:
        return unanswered
    return LedgerError(Reason.DUPLICATE, "submit", id, error.detail) if known else error
