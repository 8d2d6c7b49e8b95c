"""Sending what was endorsed. The same bytes again are no error: a transaction id counts once on a channel."""

from __future__ import annotations

import time

from gateway.ledger.fabric.context import Context
from gateway.ledger.fabric.errors import translated
from gateway.ledger.port import Prepared, Sent
from gateway.ledger.reasons import LedgerError


def submit(ctx: Context, prepared: Prepared) -> Sent:
    """Send one. Raises LedgerError at stage submit with the transaction's id."""
    with translated("submit", prepared.id):
        ctx.gateway.submit(prepared.id[2:], prepared.raw)
    ctx.note_sent(prepared.id)
    return Sent(prepared.id, time.time())


def submit_many(ctx: Context, prepared: list[Prepared]) -> list[Sent | LedgerError]:
    """Send many, one after the other so that they are ordered as given; each has its own answer."""
    answers: list[Sent | LedgerError] = []
    for p in prepared:
        try:
            answers.append(submit(ctx, p))
        except LedgerError as e:
            answers.append(e)
    return answers
