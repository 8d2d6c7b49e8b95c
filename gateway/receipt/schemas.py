"""Bodies of /receipts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.types import Model, Word


class ReceiptIn(Model):
    """One receipt: its canonical text, and the salt of its leaf."""

    receipt: Annotated[str, StringConstraints(min_length=2, max_length=4000)]
    salt: Word


class ReceiptsIn(Model):
    """Receipts of one store."""

    receipts: Annotated[list[ReceiptIn], Field(min_length=1, max_length=10_000)]


class ReceiptsTaken(Model):
    """How many were new."""

    added: int
    known: int


class ReceiptFacts(Model):
    """One reading or refusal, as its receipt says it. ``anchored``: the ledger holds the root of a batch with this number in
    it."""

    store: Word
    number: int
    time: int
    requester: Word
    organisation: Word
    subject: Word
    record: Word
    purpose: str
    consent: str | None
    outcome: str
    reason: str
    height: int
    anchored: bool


class ReceiptOut(ReceiptFacts):
    """A receipt with all that proves it: its canonical text and the salt of its leaf. ``fields``: the mask that was granted."""

    id: str
    fields: str
    receipt: str
    salt: Word


class ReceiptPage(Model):
    """Newest first."""

    items: list[ReceiptOut]
    next: str | None = None
