"""/schemas."""

from __future__ import annotations

from gateway.deps import Ctx
from gateway.http import guard, router
from gateway.identity.caller import ANYONE_KNOWN, ORGANISATION
from gateway.schema import service
from gateway.schema.schemas import SchemaIn, SchemaOut, SchemaTaken
from gateway.types import Word

routes = router("schemas", "/schemas")


@routes.get("", **guard(*ANYONE_KNOWN))
def schemas(ctx: Ctx) -> list[SchemaOut]:
    """All document types."""
    return service.schemas(ctx)


@routes.post("", status_code=202, **guard(ORGANISATION))
def register(ctx: Ctx, body: SchemaIn) -> SchemaTaken:
    """Register a document type."""
    return service.register(ctx, body)


@routes.get("/{id}", **guard(*ANYONE_KNOWN))
def schema(ctx: Ctx, id: Word) -> SchemaOut:
    """One document type."""
    return service.schema(ctx, id)
