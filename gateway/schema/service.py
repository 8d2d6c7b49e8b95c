"""Document types: the document here, its id and element count on the ledger."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from core.canonical import canonical
from core.errors import NotFound
from core.hexes import to_bytes, to_hex
from core.ids import schema_id
from gateway import database
from gateway.deps import Context
from gateway.ledger.port import Call
from gateway.ledger.reasons import LedgerError, Reason
from gateway.operation import service as operations
from gateway.schema.errors import SchemaMalformed
from gateway.schema.models import SchemaDocument
from gateway.schema.schemas import SchemaIn, SchemaOut, SchemaTaken

MOST_ELEMENTS = 256
MOST_BYTES = 256 * 1024


def register(ctx: Context, body: SchemaIn) -> SchemaTaken:
    """Keep the document, and put its id on the ledger where it is not there yet."""
    count = _count_elements(body.document)
    if len(canonical(body.document)) > MOST_BYTES:
        raise SchemaMalformed
    id = schema_id(body.document)
    row = {"id": id, "document": body.document, "elements": count, "created": ctx.now}
    database.insert_new(ctx.db, SchemaDocument.__table__, [row])
    if _on_ledger(ctx, id):
        return SchemaTaken(id=to_hex(id), operation=None)
    supersedes = to_bytes(body.supersedes) if body.supersedes else bytes(32)
    call = Call("Schema", "register", {"schemaId": id, "elements": count, "supersedes": supersedes})
    return SchemaTaken(id=to_hex(id), operation=operations.store(ctx, "schema.register", call).operation)


def _count_elements(document: dict[str, Any]) -> int:
    elements = document.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= MOST_ELEMENTS:
        raise SchemaMalformed
    numbers = [e.get("n") if isinstance(e, dict) else None for e in elements]
    if numbers != list(range(1, len(elements) + 1)):
        raise SchemaMalformed
    return len(elements)


def schemas(ctx: Context) -> list[SchemaOut]:
    """All document types we hold."""
    return [
        _describe(ctx, row) for row in ctx.db.scalars(select(SchemaDocument).order_by(SchemaDocument.created, SchemaDocument.id))
    ]


def schema(ctx: Context, id: str) -> SchemaOut:
    """One document type."""
    row = ctx.db.get(SchemaDocument, to_bytes(id))
    if row is None:
        raise NotFound
    return _describe(ctx, row)


def elements_of(ctx: Context, ids: set[bytes]) -> dict[bytes, int]:
    """Mask of all elements of each document type we hold."""
    rows = ctx.db.scalars(select(SchemaDocument).where(SchemaDocument.id.in_(ids)))
    return {row.id: (1 << row.elements) - 1 for row in rows}


def _describe(ctx: Context, row: SchemaDocument) -> SchemaOut:
    on_ledger = _on_ledger(ctx, row.id)
    by = on_ledger["supersededBy"] if on_ledger else bytes(32)
    return SchemaOut(
        id=to_hex(row.id),
        document=row.document,
        elements=row.elements,
        registered=bool(on_ledger) and on_ledger["elements"] == row.elements,
        supersededBy=to_hex(by) if any(by) else None,
    )


def _on_ledger(ctx: Context, id: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = ctx.read("Schema", "schemaOf", schemaId=id)
    except LedgerError as error:
        if error.reason is Reason.REJECTED and error.error == "UnknownSchema":
            return {}
        raise
    return found if found["elements"] else {}
