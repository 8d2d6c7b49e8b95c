"""Bodies of /audit."""

from __future__ import annotations

from pydantic import Field

from gateway.receipt.schemas import ReceiptFacts
from gateway.types import Model, Word


class LifeIn(Model):
    """What an auditor looks for: the id of a record, consent, person, practitioner, custodian or access request."""

    identifier: Word


class LifeEntry(Model):
    """One version of a record in the index, and where it is anchored. ``deleted``: a tombstone."""

    record: Word
    custodian: Word
    subject: Word
    schema_: Word = Field(alias="schema", serialization_alias="schema")
    category: str
    version: int
    sequence: int
    recordedAt: int
    indexedAt: int
    deleted: bool
    batch: int
    root: Word
    transaction: str | None
    anchoredAt: int


class LifeReceipt(ReceiptFacts):
    """A receipt, and its hash, by which the next one in its store names it."""

    hash: Word


class LifeRequest(Model):
    """An access request and what became of it; its words and reasons stay between those it concerns."""

    id: Word
    subject: str | None
    requester: Word
    organisation: Word
    status: str
    created: int
    expires: int
    consent: str | None


class LifeOut(Model):
    """What is known of an identifier beside the ledger. ``truncated``: there is more; the newest are shown."""

    identifier: Word
    entries: list[LifeEntry]
    receipts: list[LifeReceipt]
    requests: list[LifeRequest]
    truncated: bool
