"""Bodies of /index."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from gateway.types import Code, Cursor, Model, Uint, Word

Entries = (
    Annotated[list[str], Field(min_length=1, max_length=100_000)]
    | Annotated[str, Field(min_length=344, max_length=64 * 1024 * 1024)]
)


class BatchIn(Model):
    """A batch as anchored. ``entries``: base64 of each 256-byte entry, or of all of them one after the other (faster)."""

    organisation: Word
    batch: Uint
    root: Word
    firstSequence: Uint
    count: Annotated[int, Field(ge=1, le=2**32 - 1)]
    transaction: Word | None = None
    entries: Entries
    leafSaltless: bool = True


class BatchOut(Model):
    """A batch we hold. ``added``: rows that were new."""

    organisation: Word
    batch: int
    root: Word
    firstSequence: int
    count: int
    added: int


class EntryOut(Model):
    """One record as the index knows it (newest version)."""

    record: Word
    custodian: Word
    subject: Word
    category: str
    schema_: Word = Field(alias="schema", serialization_alias="schema")
    version: int
    recordedAt: int
    indexedAt: int
    commitment: Word
    batch: int
    sequence: int | None = Field(description="Place in the custodian's index; own records only")
    fields: str | None = Field(None, description="Mask of the elements that may be read (search only)")


class EntryPage(Model):
    """Newest first. Totals count only what the caller may know of."""

    items: list[EntryOut]
    total: int
    categories: dict[str, int]
    custodians: dict[str, int]
    next: str | None = None


class SearchIn(Model):
    """What a practitioner may read of a patient. ``artefact``: the opened consent artefact; used for this answer, kept
    nowhere."""

    subject: Word
    purpose: Code
    role: Code
    artefact: dict[str, Any]
    category: Code | None = None
    custodian: Word | None = None
    cursor: Cursor | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class ProofOut(Model):
    """Inclusion of an entry in a batch the ledger anchored (RFC 9162 shape, SM3)."""

    organisation: Word
    batch: int
    root: Word
    entry: str = Field(description="Leaf data, 256 bytes")
    leafIndex: int
    treeSize: int
    hashes: list[Word]
    transaction: str | None
    anchoredAt: int
