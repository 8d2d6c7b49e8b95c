"""Bodies of /identities and /credentials."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from gateway.types import Line, Model, PublicKey, Signature, Uint, Word

IdNumber = Annotated[
    str, StringConstraints(min_length=4, max_length=40), Field(description="ID number; never stored, never logged")
]
ActivationCode = Annotated[str, StringConstraints(min_length=4, max_length=40)]


class EnrolmentIn(Model):
    """Step one: who you are."""

    id_number: IdNumber
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    code: ActivationCode


class EnrolmentOut(Model):
    """What step two needs: sign the key-bind message (docs/formats.md §4) of this domain and subject with the new key."""

    subject: Word
    ticket: Word
    domain: Word
    registrar: Word
    expires: int
    recovery: bool = Field(
        description="A key is bound already: the new one replaces it after the recovery delay unless the old one vetoes"
    )


class KeyIn(Model):
    """Step two: the new key and its proof of possession."""

    publicKey: PublicKey
    possession: Signature


class RotationIn(Model):
    """The old key's signature over key-rotate, the new key's over key-bind."""

    publicKey: PublicKey
    signature: Signature
    possession: Signature


class RecoveryOut(Model):
    """A key that waits to replace the current one. Veto: sign key-veto (docs/formats.md §4) of this key with this nonce."""

    subject: Word
    publicKey: str
    registrar: Word
    executableAt: int
    nonce: int
    domain: Word


class VetoIn(Model):
    """The current key's signature over key-veto."""

    signature: Signature


class SubjectKeyOut(Model):
    """A subject's key on the ledger. ``status``: 0 none, 1 active, else not usable."""

    subject: Word
    publicKey: str | None
    status: int
    version: int
    nonce: int = Field(description="Nonce the next rotation must carry")


class DirectoryEntryIn(Model):
    """Digests made by the registrar (docs/formats.md §1)."""

    lookup: Word
    subject: Word
    nameCheck: Word


class DirectoryIn(Model):
    """A part of the registrar's directory."""

    entries: Annotated[list[DirectoryEntryIn], Field(min_length=1, max_length=10_000)]


class DirectoryOut(Model):
    """How many were new; those already there stay as they are."""

    added: int
    known: int


class LookupIn(Model):
    """By ID number, or by the code the person shows."""

    id_number: IdNumber | None = None
    code: ActivationCode | None = None

    @model_validator(mode="after")
    def _one(self) -> LookupIn:
        if (self.id_number is None) == (self.code is None):
            raise ValueError("give id_number or code")
        return self


class LookupOut(Model):
    """The pseudonym, and nothing else."""

    subject: Word


class PatientCodeOut(Model):
    """Show it to the doctor; it works until ``expires``."""

    code: str
    expires: int


class CredentialIn(Model):
    """A credential to be issued by our own organisation."""

    practitioner: Word
    publicKey: PublicKey
    roles: Annotated[list[str], Field(min_length=1, max_length=8, description="Codes of the vocabulary")]
    notBefore: Uint
    notAfter: Uint
    signature: Signature = Field(description="The organisation's, over credential-issue (docs/formats.md §4)")


class DismissalIn(Model):
    """The end of a credential: the organisation's signature over credential-revoke (docs/formats.md §4)."""

    signature: Signature


class CredentialNonceOut(Model):
    """What the next signed act about a practitioner's credential carries."""

    domain: Word
    nonce: int


class ProfileIn(Model):
    """What patients see of a practitioner."""

    name: Line
    title: Line
    department: Line


class CredentialOut(Model):
    """A practitioner as the ledger and their organisation say."""

    practitioner: Word
    organisation: Word
    publicKey: str | None
    roles: list[str]
    notBefore: int
    notAfter: int
    status: int
    valid: bool
    name: str | None = None
    title: str | None = None
    department: str | None = None
