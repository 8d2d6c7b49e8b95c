"""Bodies of /access-requests (documents: docs/formats.md §12)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from gateway.operation.schemas import OperationOut
from gateway.types import Code, Model, Signature, Uint, Word

Categories = Literal["all"] | Annotated[list[Code], Field(min_length=1, max_length=64)]
Elements = Literal["all"] | Annotated[list[Annotated[int, Field(ge=1, le=256)]], Field(min_length=1, max_length=256)]


class Period(Model):
    """UTC seconds, half-open."""

    start: Uint
    end: Uint


class FieldMask(Model):
    """Elements of one document type."""

    schema_: Word = Field(alias="schema", serialization_alias="schema")
    elements: Elements


class RequestDocument(Model):
    """What a practitioner asks for. ``subject`` null: on site, for whoever scans it."""

    kind: Literal["healthtrust/access-request"]
    version: Literal[1]
    id: Word = Field(description="32 fresh random bytes")
    subject: Word | None
    requester: Word
    organisation: Word
    role: Code
    purpose: Code
    categories: Categories
    fields: Literal["all"] | Annotated[list[FieldMask], Field(min_length=1, max_length=256)]
    period: Period
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    mode: Literal["remote", "on-site"]
    time: Uint


class RequestIn(Model):
    """``signature``: SM2 of the requester over the RFC 8785 bytes of the document; ``salt``: 32 fresh random bytes."""

    document: RequestDocument
    salt: Word
    signature: Signature


class AnswerDocument(Model):
    """What the resident answers. ``consent``: the one granted, for `permit`."""

    kind: Literal["healthtrust/access-answer"]
    version: Literal[1]
    request: Word
    answer: Literal["permit", "refuse"]
    consent: Word | None
    time: Uint


class AnswerIn(Model):
    """``signature``: SM2 of the subject over the RFC 8785 bytes of the document."""

    document: AnswerDocument
    salt: Word
    signature: Signature


class ClaimIn(Model):
    """The code in the QR picture."""

    code: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class RequestOut(Model):
    """A request as its two parties see it."""

    id: Word
    subject: str | None
    requester: Word
    organisation: Word
    purpose: str
    role: str
    categories: list[str] | Literal["all"]
    fields: list[Any] | Literal["all"]
    period: Period
    reason: str
    mode: str
    status: str
    created: int
    expires: int
    consent: str | None
    document: str = Field(description="The signed text")
    signature: str
    salt: Word
    answer: str | None = Field(description="The signed text of the answer")


class RequestMade(Model):
    """Stored, on its way to the ledger, and in the resident's mailbox. ``qr``: what the on-site picture says."""

    id: Word
    operation: OperationOut
    qr: str | None


class RequestPage(Model):
    """Newest first."""

    items: list[RequestOut]
    next: str | None = None
