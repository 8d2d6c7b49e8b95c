"""Schema: document types and their numbered elements."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gateway.ledger.memory.contracts.common import ZERO, active_caller
from gateway.ledger.memory.frame import Frame, Revert, external

NAME = "Schema"
MAX_ELEMENTS = 256


@dataclass(frozen=True, slots=True)
class Registered:
    by: bytes = ZERO
    superseded_by: bytes = ZERO
    elements: int = 0


@external(NAME, "register(bytes32 schemaId, uint16 elements, bytes32 supersedes) whenThawed")
def register(f: Frame, schema_id: bytes, elements: int, supersedes: bytes) -> None:
    caller = active_caller(f)
    if schema_id == ZERO:
        raise Revert("ZeroValue")
    if _schema(f, schema_id).elements:
        raise Revert("SchemaExists", schema_id)
    if not 0 < elements <= MAX_ELEMENTS:
        raise Revert("BadElements", elements)
    if supersedes != ZERO:
        _supersede(f, supersedes, schema_id, caller)
    f.put(NAME, schema_id, value=Registered(caller, ZERO, elements))
    f.emit(NAME, "SchemaRegistered", schemaId=schema_id, organisation=caller, elements=elements, supersedes=supersedes)


@external(NAME, "schemaOf(bytes32 schemaId)")
def schema_of(f: Frame, schema_id: bytes) -> dict[str, Any]:
    s = _schema(f, schema_id)
    return {"elements": s.elements, "supersededBy": s.superseded_by, "by": s.by}


def _schema(f: Frame, id: bytes) -> Registered:
    return f.get(NAME, id) or Registered()


def _supersede(f: Frame, old: bytes, schema_id: bytes, caller: bytes) -> None:
    s = _schema(f, old)
    if not s.elements:
        raise Revert("UnknownSchema", old)
    if s.by != caller:
        raise Revert("NotTheOwner", old, s.by)
    if s.superseded_by != ZERO:
        raise Revert("AlreadySuperseded", old, s.superseded_by)
    f.put(NAME, old, value=replace(s, superseded_by=schema_id))
