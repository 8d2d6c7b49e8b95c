"""/index."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from gateway.deps import Ctx
from gateway.http import guard, router
from gateway.identity.caller import PRACTITIONER, RESIDENT, ROLE_CUSTODIAN
from gateway.index import batches, service
from gateway.index.schemas import BatchIn, BatchOut, EntryOut, EntryPage, ProofOut, SearchIn
from gateway.types import Code, Cursor, Uint, Word

routes = router("index", "/index")


@routes.post("/batches", **guard(ROLE_CUSTODIAN))
def take_batch(ctx: Ctx, body: BatchIn) -> BatchOut:
    """Hand in a batch that is anchored; refused unless its root is the ledger's."""
    return batches.take_batch(ctx, body)


@routes.get("/entries", **guard(RESIDENT))
def own_entries(
    ctx: Ctx,
    category: Code | None = None,
    custodian: Word | None = None,
    from_: Annotated[Uint, Query(alias="from")] = 0,
    to: Uint = 2**53 - 1,
    cursor: Cursor | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = service.PAGE,
) -> EntryPage:
    """The resident's own records, newest first."""
    return service.own_entries(ctx, category, custodian, from_, to, cursor, limit)


@routes.post("/search", **guard(PRACTITIONER, read=True))
def search(ctx: Ctx, body: SearchIn) -> EntryPage:
    """What the caller may read of a patient under the consent shown."""
    return service.search(ctx, body)


@routes.get("/entries/{record}", **guard(RESIDENT, ROLE_CUSTODIAN))
def entry(ctx: Ctx, record: Word) -> EntryOut:
    """One record, for its subject or custodian."""
    return service.entry(ctx, record)


@routes.get("/entries/{record}/proof", **guard(RESIDENT, ROLE_CUSTODIAN))
def proof(ctx: Ctx, record: Word) -> ProofOut:
    """Inclusion proof of one record's entry."""
    return service.proof(ctx, record)
