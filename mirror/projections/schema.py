"""Document types and what replaced them."""

from __future__ import annotations

from gateway.ledger.port import Event
from mirror.models import NUMBER, WORD, ZERO, state
from mirror.projections.base import Changes, Handler, Projection, reading

SCHEMA = state("schema", "schema", WORD, {"organisation": WORD, "elements": NUMBER, "supersedes": WORD, "superseded_by": WORD})


def _registered(changes: Changes, e: Event, _: int) -> None:
    a = e.args
    values = {"organisation": a["organisation"], "elements": a["elements"], "supersedes": a["supersedes"], "superseded_by": ZERO}
    changes.put(SCHEMA, a["schemaId"], values)
    if a["supersedes"] != ZERO:
        changes.change(SCHEMA, a["supersedes"], superseded_by=a["schemaId"])


PROJECTION = Projection(
    "Schema", (SCHEMA,), {"SchemaRegistered": Handler(_registered, reading(SCHEMA, "schemaId", "supersedes"))}
)
