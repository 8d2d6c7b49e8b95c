"""A write: proposed, endorsed by the organisations' peers, and signed."""

from __future__ import annotations

import time

from gateway.ledger.fabric.context import Context
from gateway.ledger.fabric.errors import translated
from gateway.ledger.fabric.proposal import Proposal
from gateway.ledger.port import Call, Prepared
from gateway.ledger.reasons import LedgerError, Reason

PAUSES = (0.05, 0.2, 0.5)
"""Seconds before asking again when peers disagree: they are of different height for a moment after each block."""
_AGAIN = (Reason.ENDORSEMENT, Reason.UNREACHABLE)


def prepare(ctx: Context, call: Call, account: str | None = None, nonce: int | None = None) -> Prepared:
    """The transaction, ready to be sent now or later. Peers carry it out on the state as it is: what a contract refuses is
    refused here. ``nonce`` is not used. Raises LedgerError invalid_argument for a call that only reads: such a call is never
    ordered."""
    ctx.require_account(account)
    invocation = ctx.encode(call)
    if not invocation.function.writes:
        raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"{call.contract}.{call.method} only reads; it is not written")
    proposed = ctx.propose(invocation)
    raw = _endorse(ctx, proposed)
    ctx.note_unsent("0x" + proposed.id)
    return Prepared(raw, "0x" + proposed.id, ctx.info.account, 0)


def _endorse(ctx: Context, proposed: Proposal) -> bytes:
    for pause in PAUSES:
        try:
            return _once(ctx, proposed)
        except LedgerError as e:
            if e.reason not in _AGAIN:
                raise
        time.sleep(pause)
    return _once(ctx, proposed)


def _once(ctx: Context, proposed: Proposal) -> bytes:
    with translated("endorse", "0x" + proposed.id, ctx.codec.refusal):
        return ctx.gateway.endorse(proposed)
