"""Sending and settling writes. Safe to run at any time, in any number of processes, any number of times."""

from __future__ import annotations

import time

from sqlalchemy import delete, func, select

from gateway import database
from gateway.deps import Gateway
from gateway.ledger import outbox
from gateway.ledger.reasons import LedgerError
from gateway.operation.models import IdempotentAnswer
from gateway.problem import log

ANSWER_DAYS = 7


def advance(gateway: Gateway) -> None:
    """One pass over the outbox: send, settle, heal. A ledger that is away is logged and tried again at the next pass."""
    try:
        outbox.work(gateway.sessions, gateway.ledger)
    except LedgerError as error:
        log.warning("ledger_away", reason=error.reason.value)


def count(gateway: Gateway) -> dict[str, int]:
    """Operations by state."""
    with database.reader(gateway.engine) as db:
        found = db.execute(select(outbox.Operation.state, func.count()).group_by(outbox.Operation.state)).all()
    return {str(state): int(n) for state, n in found}


def forget_answers(gateway: Gateway) -> None:
    """Drop stored answers a week old; the operations stay."""
    with database.writer(gateway.engine) as db:
        db.execute(delete(IdempotentAnswer).where(IdempotentAnswer.created < time.time() - ANSWER_DAYS * 86400))
        db.commit()
