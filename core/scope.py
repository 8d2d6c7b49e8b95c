"""What a resident grants: the scope document people see, and the words contracts see (docs/formats.md §5).

One :class:`Scope` object has both forms. :class:`ScopeIndex` is the words parsed for deciding: nothing but structure, no
vocabulary.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from core import crypto, hexes
from core.canonical import canonical
from core.errors import HealthTrustError, ScopeMalformed
from core.ids import consent_id, use_preimage
from core.vocabulary import CATEGORIES, PURPOSES, ROLES
from core.words import ZERO, kind_word, number, word

DOCUMENT_KIND: Final = "healthtrust/consent-scope"
KIND = kind_word("healthtrust/scope/v1")
ALL_BITS = 2**256 - 1
PRACTITIONER, ORGANISATION, ROLE, LINK = 1, 2, 3, 4
GRANTEE_TYPES = {"practitioner": PRACTITIONER, "organisation": ORGANISATION, "role": ROLE, "link": LINK}
MODES = {"remote": 1, "on-site": 2, "proactive": 3}
ANY_CUSTODIAN, ANY_RECORD, ANY_SCHEMA = 1, 2, 4
MAX_LIST = 1024
MAX_TIME = 2**53 - 1

_HEADER = struct.Struct(">BBBBIHHHB17s")
_PERIOD = struct.Struct(">QQI12s")
_NAMES_OF_TYPES = {n: name for name, n in GRANTEE_TYPES.items()}
_NAMES_OF_MODES = {n: name for name, n in MODES.items()}


@dataclass(frozen=True, slots=True)
class Grantee:
    """Who may read. ``type``: practitioner, organisation, role, link. ``organisation``: bound to it, or None (person, role
    only)."""

    type: str
    id: bytes
    organisation: bytes | None = None

    @classmethod
    def role(cls, n: int, organisation: bytes | None = None) -> Grantee:
        """Everybody with role number ``n`` (of one organisation, if given)."""
        return cls("role", word(n), organisation)


@dataclass(frozen=True, slots=True)
class ScopeIndex:
    """A scope as the decision reads it. Sets are None where the scope says "all"; ``masks``: field mask by schema id."""

    subject: bytes
    grantee_type: int
    mode: int
    onward: bool
    purposes: int
    grantee: bytes
    organisation: bytes
    not_before: int
    not_after: int
    use_limit: int
    categories: int
    custodians: frozenset[bytes] | None
    records: frozenset[bytes] | None
    masks: Mapping[bytes, int] | None

    @classmethod
    def parse(cls, words: bytes) -> ScopeIndex:
        """Parse scope words; ScopeMalformed for any shape but the one of docs/formats.md §5."""
        if len(words) < 224 or len(words) % 32 or words[:32] != KIND:
            raise ScopeMalformed(detail="not scope words of version 1")
        kind, mode, onward, zero, purposes, n_custodians, n_records, n_masks, flags, rest = _HEADER.unpack_from(words, 64)
        not_before, not_after, use_limit, rest2 = _PERIOD.unpack_from(words, 160)
        if zero or any(rest) or any(rest2) or flags > 7 or onward > 1 or not 1 <= kind <= 4 or not 1 <= mode <= 3:
            raise ScopeMalformed(detail="reserved bytes set, or a type, mode or flag out of range")
        if len(words) != 32 * (7 + n_custodians + n_records + 2 * n_masks):
            raise ScopeMalformed(detail="the length does not match the counts")
        at_records, at_masks = 224 + 32 * n_custodians, 224 + 32 * (n_custodians + n_records)
        custodians = _ascending(words, 224, n_custodians, 32, any_=bool(flags & ANY_CUSTODIAN))
        records = _ascending(words, at_records, n_records, 32, any_=bool(flags & ANY_RECORD))
        schemas = _ascending(words, at_masks, n_masks, 64, any_=bool(flags & ANY_SCHEMA))
        return cls(
            words[32:64],
            kind,
            mode,
            bool(onward),
            purposes,
            words[96:128],
            words[128:160],
            not_before,
            not_after,
            use_limit,
            number(words[192:224]),
            None if custodians is None else frozenset(custodians),
            None if records is None else frozenset(records),
            None if schemas is None else _masks(words, at_masks, schemas),
        )

    def mask(self, schema: bytes) -> int:
        """Field mask granted for a schema (all bits where the scope says any schema, 0 where it has none)."""
        return ALL_BITS if self.masks is None else self.masks.get(schema, 0)


def _ascending(words: bytes, start: int, count: int, step: int, *, any_: bool) -> list[bytes] | None:
    if any_:
        if count:
            raise ScopeMalformed(detail="a list beside its any-flag")
        return None
    items = [words[at : at + 32] for at in range(start, start + count * step, step)]
    if any(a >= b for a, b in pairwise(items)):
        raise ScopeMalformed(detail="a list is not strictly ascending")
    return items


def _masks(words: bytes, start: int, schemas: list[bytes]) -> dict[bytes, int]:
    return {schema: number(words[start + 64 * i + 32 : start + 64 * i + 64]) for i, schema in enumerate(schemas)}


@dataclass(frozen=True, slots=True)
class Scope:
    """A consent scope. None means "all" for categories, custodians, records, fields; ``fields``: mask by schema id.

    ``purposes`` and ``categories`` are vocabulary numbers; period in UTC seconds, half-open; ``uses`` 0 = unlimited.
    """

    subject: bytes
    grantee: Grantee
    purposes: frozenset[int]
    start: int
    end: int
    categories: frozenset[int] | None = None
    custodians: frozenset[bytes] | None = None
    records: frozenset[bytes] | None = None
    fields: Mapping[bytes, int] | None = None
    uses: int = 0
    onward_sharing: bool = False
    mode: str = "remote"

    def words(self) -> bytes:
        """The words a contract sees. ScopeMalformed if a value does not fit."""
        try:
            return self._words()
        except (struct.error, KeyError, OverflowError) as e:
            raise ScopeMalformed(detail=f"a value does not fit its field: {e}") from e

    def _words(self) -> bytes:
        lists = [sorted(self.custodians or ()), sorted(self.records or ()), sorted(self.fields or ())]
        flags = (
            ANY_CUSTODIAN * (self.custodians is None) + ANY_RECORD * (self.records is None) + ANY_SCHEMA * (self.fields is None)
        )
        counts = [len(items) for items in lists]
        grantee = GRANTEE_TYPES[self.grantee.type]
        packed = _HEADER.pack(grantee, MODES[self.mode], self.onward_sharing, 0, _bits(self.purposes), *counts, flags, bytes(17))
        categories = ALL_BITS if self.categories is None else _bits(self.categories)
        pairs = (part for schema in lists[2] for part in (schema, word((self.fields or {})[schema])))
        head = (KIND, self.subject, packed, self.grantee.id, self.grantee.organisation or ZERO)
        period = _PERIOD.pack(self.start, self.end, self.uses, bytes(12))
        parts = (*head, period, word(categories), *lists[0], *lists[1], *pairs)
        if any(len(part) != 32 for part in parts):
            raise ScopeMalformed(detail="an id is not 32 bytes")
        return b"".join(parts)

    def index(self) -> ScopeIndex:
        """The parsed form :mod:`core.decision` works on."""
        return ScopeIndex.parse(self.words())

    def commitment(self, salt: bytes) -> bytes:
        """HMAC-SM3(salt, words): what goes on the ledger."""
        return commitment(salt, self.words())

    def to_document(self) -> dict[str, Any]:
        """The JSON document people and APIs see; lists ascending, so that equal scopes give equal documents."""
        grantee, organisation = self.grantee, self.grantee.organisation
        return {
            "kind": DOCUMENT_KIND,
            "version": 1,
            "subject": hexes.to_hex(self.subject),
            "grantee": {
                "type": grantee.type,
                "id": hexes.to_hex(grantee.id),
                "organisation": None if organisation is None else hexes.to_hex(organisation),
            },
            "purposes": PURPOSES.codes(_bits(self.purposes)),
            "categories": "all" if self.categories is None else CATEGORIES.codes(_bits(self.categories)),
            "custodians": _hex_list(self.custodians),
            "records": _hex_list(self.records),
            "fields": "all" if self.fields is None else [_field(s, m) for s, m in sorted(self.fields.items())],
            "period": {"start": self.start, "end": self.end},
            "uses": self.uses,
            "onwardSharing": self.onward_sharing,
            "mode": self.mode,
        }

    def canonical(self) -> bytes:
        """RFC 8785 bytes of the document."""
        return canonical(self.to_document())

    @classmethod
    def from_words(cls, words: bytes) -> Scope:
        """The scope of these words. ScopeMalformed if they are none; UnknownCode for a purpose or category not in our
        vocabulary."""
        i = ScopeIndex.parse(words)
        organisation = None if i.organisation == ZERO else i.organisation
        PURPOSES.codes(i.purposes)
        return cls(
            subject=i.subject,
            grantee=Grantee(_NAMES_OF_TYPES[i.grantee_type], i.grantee, organisation),
            purposes=_numbers(i.purposes),
            start=i.not_before,
            end=i.not_after,
            categories=None if i.categories == ALL_BITS else frozenset(map(_known_category, _numbers(i.categories))),
            custodians=i.custodians,
            records=i.records,
            fields=i.masks,
            uses=i.use_limit,
            onward_sharing=i.onward,
            mode=_NAMES_OF_MODES[i.mode],
        )

    @classmethod
    def from_document(cls, document: object) -> Scope:
        """Strict parse of the JSON document: every key, no other, ids as 0x hex, no empty list, sensible period. Raises
        ScopeMalformed."""
        try:
            return _from_document(document)
        except ScopeMalformed:
            raise
        except HealthTrustError as e:
            raise ScopeMalformed(zh=e.zh, en=e.en, **e.params) from e


def commitment(salt: bytes, words: bytes) -> bytes:
    """HMAC-SM3(salt, scope words). ``salt``: 32 fresh random bytes."""
    if len(salt) != 32:
        raise ScopeMalformed(detail="a salt is 32 bytes")
    return crypto.hmac_sm3(salt, words)


def use_chain(seed: bytes, n: int) -> list[bytes]:
    """The whole use chain of a limit ``n``: ``[consent id, what use 1 shows, …, what use n shows]`` (n = 0: only the id)."""
    return [consent_id(seed, n), *(use_preimage(seed, n, k) for k in range(1, n + 1))] if n <= 64 else _long_chain(seed, n)


def _long_chain(seed: bytes, n: int) -> list[bytes]:
    chain = [seed]
    for _ in range(n):
        chain.append(crypto.sm3(chain[-1]))
    return chain[::-1]


def _bits(numbers: frozenset[int]) -> int:
    return sum(1 << n for n in numbers)


def _numbers(bits: int) -> frozenset[int]:
    return frozenset(n for n in range(bits.bit_length()) if bits >> n & 1)


def _known_category(n: int) -> int:
    return CATEGORIES.by_number(n).n


def _hex_list(items: frozenset[bytes] | None) -> str | list[str]:
    return "all" if items is None else [hexes.to_hex(i) for i in sorted(items)]


def _field(schema: bytes, mask: int) -> dict[str, Any]:
    elements: Any = "all" if mask == ALL_BITS else [n + 1 for n in sorted(_numbers(mask))]
    return {"schema": hexes.to_hex(schema), "elements": elements}


_KEYS = {
    "kind",
    "version",
    "subject",
    "grantee",
    "purposes",
    "categories",
    "custodians",
    "records",
    "fields",
    "period",
    "uses",
    "onwardSharing",
    "mode",
}


def _from_document(document: object) -> Scope:
    doc = _keys(document, _KEYS, "scope")
    if doc["kind"] != DOCUMENT_KIND or doc["version"] != 1 or isinstance(doc["version"], bool):
        raise ScopeMalformed(detail="kind or version is not healthtrust/consent-scope 1")
    period = _keys(doc["period"], {"start", "end"}, "period")
    start, end = _integer(period["start"], MAX_TIME, "period.start"), _integer(period["end"], MAX_TIME, "period.end")
    if start >= end:
        raise ScopeMalformed(detail="the period ends before it starts")
    if not isinstance(doc["onwardSharing"], bool) or not isinstance(doc["mode"], str) or doc["mode"] not in MODES:
        raise ScopeMalformed(detail="onwardSharing is true or false; mode is remote, on-site or proactive")
    return Scope(
        subject=_id(doc["subject"], "subject"),
        grantee=_grantee(doc["grantee"]),
        purposes=frozenset(PURPOSES.by_code(c).n for c in _list(doc["purposes"], str, "purposes")),
        start=start,
        end=end,
        categories=_all_or(doc["categories"], lambda v: frozenset(CATEGORIES.by_code(c).n for c in _list(v, str, "categories"))),
        custodians=_all_or(doc["custodians"], lambda v: frozenset(_id(c, "custodian") for c in _list(v, str, "custodians"))),
        records=_all_or(doc["records"], lambda v: frozenset(_id(r, "record") for r in _list(v, str, "records"))),
        fields=_all_or(doc["fields"], _fields),
        uses=_integer(doc["uses"], 2**32 - 1, "uses"),
        onward_sharing=doc["onwardSharing"],
        mode=doc["mode"],
    )


def _grantee(value: object) -> Grantee:
    doc = _keys(value, {"type", "id", "organisation"}, "grantee")
    kind = doc["type"]
    if not isinstance(kind, str) or kind not in GRANTEE_TYPES:
        raise ScopeMalformed(detail="grantee.type is practitioner, organisation, role or link")
    organisation = None if doc["organisation"] is None else _id(doc["organisation"], "grantee.organisation")
    if organisation is not None and kind in ("organisation", "link"):
        raise ScopeMalformed(detail=f"a grantee of type {kind} is not bound to an organisation")
    if kind == "role":
        return Grantee.role(ROLES.by_number(number(hexes.to_bytes(doc["id"], 32, "grantee.id"))).n, organisation)
    return Grantee(kind, _id(doc["id"], "grantee.id"), organisation)


def _fields(value: object) -> dict[bytes, int]:
    masks: dict[bytes, int] = {}
    for item in _list(value, dict, "fields"):
        doc = _keys(item, {"schema", "elements"}, "field")
        schema = _id(doc["schema"], "schema")
        if schema in masks:
            raise ScopeMalformed(detail="a schema appears twice in fields")
        masks[schema] = ALL_BITS if doc["elements"] == "all" else _mask(doc["elements"])
    return masks


def _mask(value: object) -> int:
    elements = _list(value, int, "elements")
    if not all(1 <= n <= 256 for n in elements):
        raise ScopeMalformed(detail="an element number is 1 to 256")
    return sum(1 << (n - 1) for n in elements)


def _all_or(value: object, parse: Any) -> Any:
    return None if value == "all" else parse(value)


def _keys(value: object, keys: set[str], name: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != keys:
        raise ScopeMalformed(detail=f"{name} has exactly the members {', '.join(sorted(keys))}")
    return value


def _list(value: object, kind: type, name: str) -> list[Any]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_LIST or any(type(v) is not kind for v in value):
        raise ScopeMalformed(detail=f'{name} is "all" or a list of 1 to {MAX_LIST}')
    if kind is not dict and len(set(value)) != len(value):
        raise ScopeMalformed(detail=f"{name} holds a value twice")
    return value


def _integer(value: object, most: int, name: str) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ScopeMalformed(detail=f"{name} is an integer from 0 to {most}")
    return value


def _id(value: object, name: str) -> bytes:
    data = hexes.to_bytes(value, 32, name)
    if data == ZERO:
        raise ScopeMalformed(detail=f"{name} is zero")
    return data
