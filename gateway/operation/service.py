"""Writes for the ledger: stored in the request's transaction, sent by the worker, watched by whoever asked."""

from __future__ import annotations

import time

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import NotFound
from gateway import database
from gateway.deps import Context, Gateway
from gateway.identity.caller import ADMINISTRATOR, ROLE_AUDITOR
from gateway.ledger import outbox
from gateway.ledger.port import Call
from gateway.operation.schemas import Accepted, OperationOut

FINAL = (outbox.SUCCEEDED, outbox.FAILED)
POLL_SECONDS = 0.1


def store(ctx: Context, kind: str, call: Call, id: str | None = None) -> Accepted:
    """Put a write into the outbox within this request's transaction; the answer is 202 with its operation."""
    row = outbox.enqueue(ctx.db, ctx.key or ctx.request_id, kind, call, caller=ctx.caller.keyid)
    ctx.wrote = True
    ctx.location = f"/api/v1/operations/{row.id}"
    return Accepted(operation=describe(row), id=id)


def find(db: Session, id: str) -> outbox.Operation | None:
    """An operation by the id callers see."""
    return db.scalar(select(outbox.Operation).where(outbox.Operation.id == id))


def wait(ctx: Context, id: str, seconds: float) -> OperationOut:
    """The caller's operation, as soon as it is final or the time is over."""
    row = find(ctx.db, id)
    if row is None or not (row.caller == ctx.caller.keyid or ctx.caller.roles & {ADMINISTRATOR, ROLE_AUDITOR}):
        raise NotFound
    ctx.db.rollback()
    return wait_for(ctx.gateway, id, seconds)


def wait_for(gateway: Gateway, id: str, seconds: float) -> OperationOut:
    """An operation, as soon as it is final or the time is over; whose it is has been checked."""
    until = time.monotonic() + seconds
    while True:
        with database.reader(gateway.engine) as db:
            row = find(db, id)
        if row is None:
            raise NotFound
        if row.state in FINAL or time.monotonic() >= until:
            return describe(row)
        time.sleep(POLL_SECONDS)


def describe(row: outbox.Operation) -> OperationOut:
    """What a caller sees of an operation."""
    return OperationOut(
        id=row.id,
        kind=row.kind,
        state=row.state,
        transaction=row.transaction,
        height=row.height,
        block=row.block,
        reason=row.reason,
        detail=row.detail,
        created=row.created,
        updated=row.updated,
    )
