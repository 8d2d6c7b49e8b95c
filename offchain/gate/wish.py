"""What a caller asks for, parsed strictly: every member known, ids as 0x hex, codes of the vocabulary (docs/services.md, gate
REST)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from core.decision import Request, open_scope
from core.errors import HealthTrustError
from core.hexes import to_bytes
from core.vocabulary import category_number, purpose_number, role_number
from offchain.gate.opening import Shown
from offchain.gate.refusals import BadRequest

ALL = None
_READ = {"request", "consent", "artefact"}
_REQUEST = {"subject", "purpose", "record", "schema", "category", "fields", "role"}
_ASK = _REQUEST | {"consent"}
_SHOWN = {"consent", "words", "salt"}
_LIST = {"subject", "purpose", "role", "consent", "artefact", "after", "limit"}
PAGE = 200
ASKS = 200
"""Most decisions asked for in one request."""


@dataclass(slots=True)
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

    def request(self, requester: bytes, organisation: bytes, custodian: bytes, fields: int) -> Request:
        """What the decision function is asked. ``fields``: the mask."""
        return Request(
            self.subject, requester, organisation, self.role, purpose_number(self.purpose), self.category, custodian,
            self.record, self.schema, fields,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class DecisionsWish:
    """Which decisions are asked for. ``shown``: what the caller opened of the consents named, by consent id."""

    asks: list[ReadWish]
    shown: dict[bytes, Shown]


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
    _members(request, _REQUEST, "request")
    try:
        return _read_wish(request, doc["consent"], _artefact(doc["artefact"]))
    except (HealthTrustError, TypeError) as e:
        raise _bad(e) from e


def decisions_wish(body: bytes) -> DecisionsWish:
    """Parse the body of ``POST /decisions``. Raises BadRequest."""
    doc = _document(body, {"consents", "asks"})
    asks, consents = doc["asks"], doc["consents"]
    if not isinstance(asks, list) or not isinstance(consents, list) or not 0 < len(asks) <= ASKS or len(consents) > ASKS:
        raise BadRequest(detail=f"asks is a list of 1 to {ASKS}, consents a list of at most as many")
    try:
        shown = {to_bytes(_members(c, _SHOWN, "a consent")["consent"], 32, "consent"): _shown(c) for c in consents}
        return DecisionsWish([_read_wish(_members(a, _ASK, "an ask"), a["consent"], None) for a in asks], shown)
    except (HealthTrustError, TypeError) as e:
        raise _bad(e) from e


def _read_wish(request: dict[str, Any], consent: object, artefact: dict[str, Any] | None) -> ReadWish:
    return ReadWish(
        subject=to_bytes(request["subject"], 32, "subject"),
        purpose=_purpose(request["purpose"]),
        record=to_bytes(request["record"], 32, "record"),
        schema=to_bytes(request["schema"], 32, "schema"),
        category=category_number(request["category"]),
        fields=_fields(request["fields"]),
        role=role_number(request["role"]),
        consent=_consent(consent),
        artefact=artefact,
    )


def _shown(opened: dict[str, Any]) -> Shown:
    words, salt = to_bytes(opened["words"], None, "words"), to_bytes(opened["salt"], 32, "salt")
    return Shown(words, salt, open_scope(words, salt))


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


def _members(value: object, members: set[str], name: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != members:
        raise BadRequest(detail=f"{name} has exactly the members {', '.join(sorted(members))}")
    return value


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
