"""Bodies of /consents."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from gateway.index.schemas import EntryOut
from gateway.operation.schemas import OperationOut
from gateway.types import Message, Model, Signature, Word

Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]*={0,2}$", max_length=400_000)]


class PrepareIn(Model):
    """The scope somebody is about to sign (docs/formats.md §5)."""

    scope: dict[str, Any]


class RecipientOut(Model):
    """Somebody the artefact has to be sealed for, with the key the ledger holds."""

    id: Word
    kind: str = Field(description="subject, practitioner or organisation")
    publicKey: str


class PrepareOut(Model):
    """What the client needs to build, sign and seal. Salt and seed are made by the client and never sent."""

    domain: Word
    nonce: int
    ledger: Word
    words: str = Field(description="The scope's words; the client compares them with its own")
    recipients: list[RecipientOut]


class NonceOut(Model):
    """What a revocation carries."""

    domain: Word
    nonce: int


class PreviewIn(Model):
    """``artefacts``: opened artefacts of consents in force, to show what is new; used for this answer, kept nowhere."""

    scope: dict[str, Any]
    artefacts: Annotated[list[dict[str, Any]], Field(max_length=50, default_factory=list)]


class PreviewOut(Model):
    """What would open. ``alreadyOpen``: how many of these the same grantee may read today under the artefacts shown."""

    total: int
    alreadyOpen: int
    categories: dict[str, int]
    custodians: dict[str, int]
    entries: list[EntryOut] = Field(description="The newest of them, at most 200, with the fields that would open")
    complete: bool = Field(description="All of them are listed")


class SealedRecipient(Model):
    """One wrapped key."""

    id: Word
    key: Base64


class SealedArtefact(Model):
    """A sealed artefact (docs/formats.md §5). Opaque to the gateway."""

    kind: Annotated[str, StringConstraints(pattern=r"^healthtrust/sealed-artefact$")]
    version: Annotated[int, Field(ge=1, le=1)]
    consent: Word
    iv: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{16}$")]
    ciphertext: Base64
    recipients: Annotated[list[SealedRecipient], Field(min_length=1, max_length=512)]


class GrantIn(Model):
    """A signed grant or amendment with its sealed artefact."""

    message: Message
    signature: Signature
    artefact: SealedArtefact


class RevokeIn(Model):
    """A signed revocation."""

    message: Message
    signature: Signature


class Period(Model):
    """UTC seconds, half-open."""

    start: int
    end: int


class ConsentOut(Model):
    """A consent as the ledger holds it now."""

    consent: Word
    subject: Word
    status: str = Field(description="waiting (not on the ledger yet), refused, active, future, expired, amended, revoked")
    period: Period
    uses: int = Field(description="Limit; 0 = unlimited")
    used: int
    successor: str | None
    created: int
    operation: OperationOut | None = Field(description="The write that made it; for its subject only")
    recipients: list[Word]
    artefact: SealedArtefact | None = Field(None, description="Sealed for the caller")


class ConsentPage(Model):
    """Newest first."""

    items: list[ConsentOut]
    next: str | None = None
    nonce: int | None = Field(
        None, description="Nonce the caller's next grant, amendment or revocation must carry (own list only)"
    )
