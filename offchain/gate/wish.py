"""What a caller asks for, parsed strictly: every member known, ids as 0x hex, codes of the vocabulary (docs/services.md, gate
REST)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from core.errors import HealthTrustError
from core.hexes import to_bytes
from core.vocabulary import category_number, purpose_number, role_number
from offchain.gate.refusals import BadRequest

ALL = None
_READ = {"request", "consent", "artefact"}
_REQUEST = {"subject", "purpose", "record", "schema", "category", "fields", "role"}
_LIST = {"subject", "purpose", "role", "consent", "artefact", "after", "limit"}
PAGE = 200


@dataclass(frozen=True, slots=True)
class ReadWish:
    """One record, for one purpose. ``fields``: mask, or None for all the document type has; ``artefact``: sealed, as sent."""

    subject: bytes
    purpose: str
    record: bytes
    schema: bytes
    category: int
    fields: int | None
    role: int
    consent: bytes | None
    artefact: dict[str, Any] | None

    def mask(self, elements: int) -> int:
        """The mask asked for, of a document type with this many elements."""
        return (1 << elements) - 1 if self.fields is None else self.fields


@dataclass(frozen=True, slots=True)
class ListWish:
    """Which records there are to read under one consent, from sequence ``after`` on, at most ``limit`` of them."""

    subject: bytes
    purpose: str
    role: int
    consent: bytes | None
    artefact: dict[str, Any] | None
    after: int
    limit: int


def read_wish(body: bytes) -> ReadWish:
    """Parse the body of ``POST /records/read``. Raises BadRequest."""
    doc = _document(body, _READ)
    request = doc["request"]
    if not isinstance(request, dict) or request.keys() != _REQUEST:
        raise BadRequest(detail=f"request has exactly the members {', '.join(sorted(_REQUEST))}")
    try:
        return ReadWish(
            subject=to_bytes(request["subject"], 32, "subject"),
            purpose=_purpose(request["purpose"]),
            record=to_bytes(request["record"], 32, "record"),
            schema=to_bytes(request["schema"], 32, "schema"),
            category=category_number(request["category"]),
            fields=_fields(request["fields"]),
            role=role_number(request["role"]),
            consent=_consent(doc["consent"]),
            artefact=_artefact(doc["artefact"]),
        )
    except (HealthTrustError, TypeError) as e:
        raise _bad(e) from e


def list_wish(body: bytes) -> ListWish:
    """Parse the body of ``POST /records/list``; ``after`` and ``limit`` may be left out. Raises BadRequest."""
    doc = _document(body, _LIST, optional={"after", "limit"})
    try:
        return ListWish(
            subject=to_bytes(doc["subject"], 32, "subject"),
            purpose=_purpose(doc["purpose"]),
            role=role_number(doc["role"]),
            consent=_consent(doc["consent"]),
            artefact=_artefact(doc["artefact"]),
            after=_integer(doc.get("after", -1), -1, 2**53, "after"),
            limit=_integer(doc.get("limit", PAGE), 1, PAGE, "limit"),
        )
    except (HealthTrustError, TypeError) as e:
        raise _bad(e) from e


def _document(body: bytes, members: set[str], optional: frozenset[str] | set[str] = frozenset()) -> dict[str, Any]:
    try:
        doc = orjson.loads(body)
    except orjson.JSONDecodeError as e:
        raise BadRequest(detail="not JSON") from e
    if not isinstance(doc, dict) or not members - optional <= doc.keys() <= members:
        raise BadRequest(detail=f"the body has exactly the members {', '.join(sorted(members))}")
    return doc


def _bad(e: Exception) -> BadRequest:
    if isinstance(e, HealthTrustError):
        return BadRequest(detail=str(e.params.get("detail") or e.code))
    return BadRequest(detail="a member has another type")


def _purpose(code: object) -> str:
    if not isinstance(code, str):
        raise BadRequest(detail="purpose is text")
    purpose_number(code)
    return code


def _fields(value: object) -> int | None:
    """``"all"``, a list of element numbers, or a 32-byte mask."""
    if value == "all":
        return ALL
    if isinstance(value, str):
        return int.from_bytes(to_bytes(value, 32, "fields"), "big")
    if not isinstance(value, list) or not all(type(n) is int and 1 <= n <= 256 for n in value):
        raise BadRequest(detail='fields is "all", a mask, or a list of element numbers 1 to 256')
    mask = 0
    for n in value:
        mask |= 1 << (n - 1)
    return mask


def _consent(value: object) -> bytes | None:
    return None if value is None else to_bytes(value, 32, "consent")


def _artefact(value: object) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise BadRequest(detail="artefact is a sealed artefact or null")
    return value


def _integer(value: object, least: int, most: int, name: str) -> int:
    if type(value) is not int or not least <= value <= most:
        raise BadRequest(detail=f"{name} is an integer from {least} to {most}")
    return value
