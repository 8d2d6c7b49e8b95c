"""Document types and their numbered data elements, as versioned documents (docs/formats.md §1, requirement P04).

A document in ``documents/`` is never edited once it is registered on a ledger, because its id is the hash of its canonical JSON:
a change is a new revision in a new file. Element codes are those of WS/T 363 and 364 where one is known, paths those of FHIR R4.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from core.ids import schema_id
from core.vocabulary import category_number

_DOCUMENTS = Path(__file__).with_name("documents")


@dataclass(frozen=True)
class Element:
    """One data element. ``n``: number, mask bit n−1; ``id``: short name; ``code``: WS/T identifier; ``sensitivity``: 1–4."""

    n: int
    id: str
    code: str | None
    path: str
    zh: str
    en: str
    type: str
    sensitivity: int


@dataclass(frozen=True)
class DocumentType:
    """A document type. ``document`` is the JSON whose hash is :attr:`id`."""

    code: str
    category: int
    zh: str
    en: str
    elements: tuple[Element, ...]
    document: Mapping[str, Any]

    @cached_property
    def id(self) -> bytes:
        """Schema id (32 bytes)."""
        return schema_id(dict(self.document))

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Element number by short name."""
        return {e.id: e.n for e in self.elements}

    @property
    def element_count(self) -> int:
        """How many elements there are; masks have this many bits."""
        return len(self.elements)

    def number(self, values: Mapping[str, Any]) -> dict[int, Any]:
        """Values by short name → values by element number, nulls left out. KeyError for a name the type does not have."""
        return {self.numbers[name]: value for name, value in values.items() if value is not None}


@cache
def document_types() -> Mapping[str, DocumentType]:
    """All current document types by code."""
    types = [_read(path) for path in sorted(_DOCUMENTS.glob("*.json"))]
    return {t.code: t for t in types}


@cache
def _by_id() -> Mapping[bytes, DocumentType]:
    return {t.id: t for t in document_types().values()}


def by_code(code: str) -> DocumentType:
    """The document type with this code; KeyError names the ones there are."""
    types = document_types()
    if code not in types:
        raise KeyError(f"no document type {code!r}; there are: {', '.join(types)}")
    return types[code]


def by_id(schema: bytes) -> DocumentType | None:
    """The document type with this schema id, or None."""
    return _by_id().get(schema)


def _read(path: Path) -> DocumentType:
    document = json.loads(path.read_text("utf-8"))
    elements = tuple(
        Element(e["n"], e["id"], e["code"], e["path"], e["name"]["zh"], e["name"]["en"], e["type"], e["sensitivity"])
        for e in document["elements"]
    )
    if [e.n for e in elements] != list(range(1, len(elements) + 1)):
        raise ValueError(f"{path.name}: element numbers must be 1, 2, 3 … without gaps")
    name = document["name"]
    return DocumentType(document["code"], category_number(document["category"]), name["zh"], name["en"], elements, document)
