"""The ledger as everybody may see it: facts, blocks, transactions, events; and whether we are fit to serve."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from core.errors import NotFound
from core.hexes import to_bytes, to_hex
from gateway import database
from gateway.chain.schemas import BlockOut, EventOut, HealthOut, LedgerOut, ReadyOut, TransactionOut
from gateway.deps import Context, Gateway
from gateway.ledger import outbox
from gateway.ledger.port import Block, Event
from gateway.ledger.reasons import LedgerError, Reason
from gateway.operation.tasks import count
from gateway.stream import ticks

SIGNED_IN = ("Identity", "Consent", "Alliance", "Access")
BLOCKS_A_LOOK = 200
VERSION = version("healthtrust")
_HEIGHT = re.compile(r"[0-9]{1,15}")
_HASH = re.compile(r"0x[0-9a-f]{64}")


def ledger(ctx: Context) -> LedgerOut:
    """Which ledger this is."""
    info = ctx.ledger.info()
    domains = {name: to_hex(ctx.gateway.domain(name)) for name in SIGNED_IN if name in info.contracts}
    return LedgerOut(
        kind=info.kind,
        ledger=to_hex(info.ledger_id),
        chain=info.chain,
        genesis=to_hex(info.genesis),
        contracts=info.contracts,
        domains=domains,
        finality=info.finality,
        head=describe(ctx.head),
    )


def block(ctx: Context, reference: str) -> BlockOut:
    """A block by height, hash, or `head`."""
    if reference == "head":
        return describe(ctx.head)
    if _HEIGHT.fullmatch(reference):
        found = _or_none(ctx, int(reference))
    else:
        found = _or_none(ctx, to_bytes(reference)) if _HASH.fullmatch(reference) else None
    if found is None:
        raise NotFound
    return describe(found)


def _or_none(ctx: Context, reference: int | bytes) -> Block | None:
    try:
        return ctx.ledger.block(reference)
    except LedgerError as error:
        if error.reason is Reason.NOT_FOUND:
            return None
        raise


def transaction(ctx: Context, id: str) -> TransactionOut:
    """Where a transaction stands, with the events it caused."""
    found = ctx.ledger.outcome(id)
    if found.status == "unknown":
        raise NotFound
    return TransactionOut(
        id=found.id,
        status=found.status,
        height=found.height,
        block=to_hex(found.block) if found.block else None,
        reason=found.reason.value if found.reason else None,
        detail=found.detail,
        events=[describe_event(e) for e in found.events],
    )


def describe(found: Block) -> BlockOut:
    """A block as callers see it."""
    return BlockOut(
        height=found.height,
        hash=to_hex(found.hash),
        parent=to_hex(found.parent),
        time=found.time,
        transactions=list(found.transactions),
    )


def describe_event(event: Event) -> EventOut:
    """An event as callers see it: bytes as hex, big numbers as text."""
    return EventOut(
        contract=event.contract,
        name=event.name,
        args={k: _plain(v) for k, v in event.args.items()},
        height=event.height,
        block=to_hex(event.block),
        index=event.index,
        transaction=event.transaction,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return hex(value)
    return value


async def events(gateway: Gateway, after: int, seconds: float) -> AsyncIterator[dict[str, str]]:
    """Blocks with events as server-sent events, from the block after ``after``; the id of each is its height, so that a
    client resumes
    without losing or doubling a block. A block without events shows only in the ids of later ones."""
    last = after
    async for _ in ticks(seconds):
        for height, found in await run_in_threadpool(_next_blocks, gateway, last):
            last = height
            if found:
                data = [describe_event(e).model_dump() for e in found]
                yield {"id": str(height), "event": "block", "data": orjson.dumps(data).decode()}


def _next_blocks(gateway: Gateway, last: int) -> list[tuple[int, list[Event]]]:
    head = gateway.ledger.head().height
    until = min(head, last + BLOCKS_A_LOOK)
    if until <= last:
        return []
    found = [(events[0].height, events) for events in gateway.ledger.events(last + 1, until)]
    if not found or found[-1][0] < until:
        found.append((until, []))
    return found


def health() -> HealthOut:
    """The process runs and answers."""
    return HealthOut(status="ok", version=VERSION)


def ready(gateway: Gateway) -> ReadyOut:
    """Ledger fresh, database there, outbox at one with the ledger."""
    parts = {"ledger": _ledger_part(gateway), "database": _database_part(gateway)}
    if all(state == "ok" for state in parts.values()):
        parts["outbox"] = _outbox_part(gateway)
    return ReadyOut(ready=all(state == "ok" for state in parts.values()), parts=parts)


def _ledger_part(gateway: Gateway) -> str:
    try:
        gateway.metrics.head.set(gateway.ledger.head().height)
    except LedgerError as error:
        gateway.trust.lose_on(error)
        return error.reason.value
    return "ok"


def _database_part(gateway: Gateway) -> str:
    try:
        with database.reader(gateway.engine) as db:
            db.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return "unavailable"
    return "ok"


def _outbox_part(gateway: Gateway) -> str:
    try:
        gateway.trust.require()
        with database.reader(gateway.engine) as db:
            return "ok" if outbox.consistent(db, gateway.ledger) else "reconciling"
    except LedgerError as error:
        gateway.trust.lose_on(error)
        return "reconciling" if error.reason is Reason.RESET else error.reason.value


def metrics(gateway: Gateway) -> bytes:
    """Prometheus figures, with the outbox counted now."""
    for state, n in count(gateway).items():
        gateway.metrics.operations.labels(state).set(n)
    return gateway.metrics.page()
