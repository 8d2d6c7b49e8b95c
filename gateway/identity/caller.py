"""Who is calling, and as what. Roles are worked out from the ledger at every request, never stored with a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.hexes import to_bytes
from core.vocabulary import role_number
from gateway.identity.registry import ACTIVE, AUDITOR, CUSTODIAN, OPERATOR, REGISTRAR, Register

Kind = Literal["open", "subject", "practitioner", "organisation", "administrator"]

OPEN = "open"
RESIDENT = "resident"
PRACTITIONER = "practitioner"
ORGANISATION = "organisation"
ROLE_CUSTODIAN = "custodian"
ROLE_REGISTRAR = "registrar"
ROLE_AUDITOR = "auditor"
ROLE_OPERATOR = "operator"
ADMINISTRATOR = "administrator"
ROLES = (OPEN, RESIDENT, PRACTITIONER, ORGANISATION, ROLE_CUSTODIAN, ROLE_REGISTRAR, ROLE_AUDITOR, ROLE_OPERATOR, ADMINISTRATOR)
ANYONE_KNOWN = ROLES[1:]

_ORGANISATION_ROLES = {CUSTODIAN: ROLE_CUSTODIAN, REGISTRAR: ROLE_REGISTRAR, AUDITOR: ROLE_AUDITOR, OPERATOR: ROLE_OPERATOR}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. ``id`` and ``organisation`` are ``0x`` hex (administrators: their name); ``public`` is the key the ledger
    holds; ``bits`` the
    roles of a credential; ``session``: digest of the session's token, if it is one."""

    kind: Kind
    id: str = ""
    organisation: str | None = None
    roles: frozenset[str] = frozenset({OPEN})
    public: bytes = b""
    bits: int = 0
    session: bytes = b""

    @property
    def keyid(self) -> str:
        """``kind:id``, the name used in signatures, rates and ownership of rows."""
        return f"{self.kind}:{self.id}"

    @property
    def word(self) -> bytes:
        """The id as 32 bytes."""
        return to_bytes(self.id)

    @property
    def sealed_for(self) -> tuple[str, ...]:
        """Ids whose consents concern this caller: the own one, and the employer's."""
        return (self.id, self.organisation) if self.organisation and self.organisation != self.id else (self.id,)


def identify(register: Register, keyid: str, now: int) -> Caller | None:
    """The caller a key id names, with the ledger's key and today's roles; None when nobody active stands behind it."""
    kind, _, name = keyid.partition(":")
    word = to_bytes(name, name="key id")
    if kind == "subject":
        return _resident(register, name, word)
    if kind == "practitioner":
        return _practitioner(register, name, word, now)
    return _organisation(register, name, word) if kind == "organisation" else None


def _resident(register: Register, name: str, word: bytes) -> Caller | None:
    key = register.subject(word)
    return Caller("subject", name, None, frozenset({RESIDENT}), key.public) if key.status == ACTIVE else None


def _practitioner(register: Register, name: str, word: bytes, now: int) -> Caller | None:
    credential = register.practitioner(word)
    if not credential.valid(now) or _named_already(register, word):
        return None
    employer = register.organisation(credential.organisation)
    if employer.status != ACTIVE:
        return None
    roles = {PRACTITIONER}
    # A hospital may call anybody an auditor; only one whose organisation the alliance made an auditor sees others' receipts.
    if credential.roles >> role_number("auditor") & 1 and employer.has(AUDITOR):
        roles.add(ROLE_AUDITOR)
    if credential.roles >> role_number("administrator") & 1 and employer.has(OPERATOR):
        roles.add(ADMINISTRATOR)
    return Caller(
        "practitioner", name, "0x" + credential.organisation.hex(), frozenset(roles), credential.public, credential.roles
    )


def _named_already(register: Register, word: bytes) -> bool:
    """Whether a resident or a member has this id. Mailboxes, consents and notices are found by id alone, and any member may
    issue a credential for any id: one under somebody else's name opens nothing."""
    return register.subject(word).status != 0 or register.organisation(word).status != 0


def _organisation(register: Register, name: str, word: bytes) -> Caller | None:
    member = register.organisation(word)
    if member.status != ACTIVE:
        return None
    roles = {ORGANISATION} | {role for bit, role in _ORGANISATION_ROLES.items() if member.has(bit)}
    return Caller("organisation", name, name, frozenset(roles), member.public)
