"""/health, /ready, /metrics, /ledger, /vocabulary, /blocks, /transactions, /events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from fastapi import Header, Query, Response
from sse_starlette import EventSourceResponse

import core
from gateway.chain import service
from gateway.chain.schemas import BlockOut, HealthOut, LedgerOut, ReadyOut, TransactionOut
from gateway.deps import Ctx
from gateway.http import guard, router
from gateway.identity.caller import ANYONE_KNOWN, OPEN
from gateway.stream import LONGEST_SECONDS, resume_point
from gateway.types import Uint, Word

routes = router("ledger", "")
VOCABULARY = json.loads(Path(core.__file__).with_name("vocabulary.json").read_text("utf-8"))


@routes.get("/health", **guard(OPEN, cost=0))
def health() -> HealthOut:
    """The process runs."""
    return service.health()


@routes.get("/ready", responses={503: {"model": ReadyOut}}, **guard(OPEN, cost=0))
def ready(ctx: Ctx, response: Response) -> ReadyOut:
    """Whether it can do its work; 503 with the part that cannot."""
    found = service.ready(ctx.gateway)
    response.status_code = 200 if found.ready else 503
    return found


@routes.get("/metrics", response_class=Response, **guard(OPEN, cost=0))
def metrics(ctx: Ctx) -> Response:
    """Prometheus figures."""
    return Response(service.metrics(ctx.gateway), media_type="text/plain; version=0.0.4")


@routes.get("/ledger", **guard(OPEN, cost=0))
def ledger(ctx: Ctx) -> LedgerOut:
    """Which ledger this is, its contracts and signature domains, its head."""
    return service.ledger(ctx)


@routes.get("/vocabulary", **guard(OPEN, cost=0))
def vocabulary() -> dict[str, Any]:
    """Purposes, categories and roles with their numbers and names."""
    return dict(VOCABULARY)


@routes.get("/blocks/{reference}", **guard(*ANYONE_KNOWN))
def block(ctx: Ctx, reference: str) -> BlockOut:
    """A block by height, hash, or `head`."""
    return service.block(ctx, reference)


@routes.get("/transactions/{id}", **guard(*ANYONE_KNOWN))
def transaction(ctx: Ctx, id: Word) -> TransactionOut:
    """Where a transaction stands."""
    return service.transaction(ctx, id)


@routes.get("/events", response_class=EventSourceResponse, **guard(*ANYONE_KNOWN))
def events(
    ctx: Ctx,
    from_: Annotated[Uint, Query(alias="from")] = 0,
    last_event_id: Annotated[str | None, Header()] = None,
    seconds: Annotated[float, Query(gt=0, le=LONGEST_SECONDS)] = LONGEST_SECONDS,
) -> EventSourceResponse:
    """Events of the ledger block by block, from any block on (server-sent events; Last-Event-ID resumes)."""
    seen = resume_point(last_event_id)
    after = from_ - 1 if seen is None else seen
    return EventSourceResponse(service.events(ctx.gateway, after, seconds), ping=15)
