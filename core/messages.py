"""The messages people and organisations sign, word for word as the contracts check them (docs/formats.md §4).

Every message starts with its kind and the domain (ledger id and contract), so that a signature holds on one ledger, in one
contract, for one purpose, and, by the nonce, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self, get_args

from core import crypto
from core.errors import Malformed
from core.words import exact, kind_word, number, split, u32, u64, word


@dataclass(frozen=True, slots=True)
class Terms:
    """The packed word of grant, amend and revoke: period [not_before, not_after) in UTC seconds, uses (0 = unlimited), nonce."""

    not_before: int = 0
    not_after: int = 0
    use_limit: int = 0
    nonce: int = 0

    def pack(self) -> bytes:
        """``notBefore u64 ‖ notAfter u64 ‖ useLimit u32 ‖ 0 u32 ‖ nonce u64``."""
        return u64(self.not_before) + u64(self.not_after) + u32(self.use_limit) + bytes(4) + u64(self.nonce)

    @classmethod
    def unpack(cls, data: bytes) -> Terms:
        """Parse 32 bytes; Malformed if the reserved bytes are set."""
        exact(data, "packed")
        if any(data[20:24]):
            raise Malformed("message_malformed", detail="reserved bytes of the packed word are set")
        return cls(number(data[:8]), number(data[8:16]), number(data[16:20]), number(data[24:]))


def pack_terms(not_before: int, not_after: int, use_limit: int, nonce: int) -> bytes:
    """:meth:`Terms.pack` of these four numbers."""
    return Terms(not_before, not_after, use_limit, nonce).pack()


def unpack_terms(data: bytes) -> Terms:
    """:meth:`Terms.unpack`."""
    return Terms.unpack(data)


def domain(ledger_id: bytes, contract: bytes) -> bytes:
    """Domain of a contract: ``contract`` is an EVM address (20 bytes) or the Fabric contract word (32 bytes)."""
    if len(contract) not in (20, 32):
        raise Malformed("message_malformed", detail="a contract is 20 bytes (EVM) or 32 bytes (Fabric)")
    return crypto.sm3(kind_word("healthtrust/domain/v1") + exact(ledger_id, "ledger id") + word(contract))


def fabric_contract(channel: str, chaincode: str) -> bytes:
    """Contract word of a Fabric chaincode: SM3(channel ‖ 0x00 ‖ chaincode name)."""
    return crypto.sm3(channel.encode() + b"\0" + chaincode.encode())


class _Message:
    """Packing shared by all messages: each is its kind word and its fields as words, in order."""

    KIND: ClassVar[str]
    __slots__ = ()

    def _words(self) -> tuple[bytes, ...]:
        raise NotImplementedError

    @classmethod
    def _from_words(cls, words: list[bytes]) -> Self:
        raise NotImplementedError

    def pack(self) -> bytes:
        """The bytes that are signed. Malformed if a field is not one word."""
        return b"".join((kind_word(self.KIND), *(exact(w) for w in self._words())))

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Inverse of :meth:`pack`; Malformed for another kind, length or set reserved bytes."""
        words = split(data)
        if not words or words[0] != kind_word(cls.KIND):
            raise Malformed("message_malformed", detail=f"not a {cls.KIND}")
        try:
            message = cls._from_words(words[1:])
        except (ValueError, TypeError) as e:
            raise Malformed("message_malformed", detail=f"a {cls.KIND} has another number of words") from e
        return message


@dataclass(frozen=True, slots=True)
class _KeyMessage(_Message):
    domain: bytes
    subject: bytes
    public: bytes
    """x‖y, 64 bytes."""

    def _words(self) -> tuple[bytes, ...]:
        return self.domain, self.subject, self.public[:32], self.public[32:]

    @classmethod
    def _from_words(cls, words: list[bytes]) -> Self:
        domain_, subject, x, y = words
        return cls(domain_, subject, x + y)


@dataclass(frozen=True, slots=True)
class KeyBind(_KeyMessage):
    """Possession: signed by the new key itself."""

    KIND = "healthtrust/key-bind/v1"


@dataclass(frozen=True, slots=True)
class KeyAttest(_KeyMessage):
    """The registrar says that this key is this subject's: signed by the registrar's key."""

    KIND = "healthtrust/key-attest/v1"


@dataclass(frozen=True, slots=True)
class KeyRotate(_Message):
    """The old key hands over to a new one: signed by the old key."""

    KIND = "healthtrust/key-rotate/v1"
    domain: bytes
    subject: bytes
    public: bytes
    """x‖y of the new key, 64 bytes."""
    nonce: int

    def _words(self) -> tuple[bytes, ...]:
        return self.domain, self.subject, self.public[:32], self.public[32:], word(self.nonce)

    @classmethod
    def _from_words(cls, words: list[bytes]) -> Self:
        domain_, subject, x, y, nonce = words
        return cls(domain_, subject, x + y, number(nonce))


@dataclass(frozen=True, slots=True)
class ConsentGrant(_Message):
    """The subject grants the scope behind ``commitment``."""

    KIND = "healthtrust/consent-grant/v1"
    domain: bytes
    subject: bytes
    consent: bytes
    commitment: bytes
    terms: Terms

    def _words(self) -> tuple[bytes, ...]:
        return self.domain, self.subject, self.consent, self.commitment, self.terms.pack()

    @classmethod
    def _from_words(cls, words: list[bytes]) -> Self:
        domain_, subject, consent, commitment, packed = words
        return cls(domain_, subject, consent, commitment, Terms.unpack(packed))


@dataclass(frozen=True, slots=True)
class ConsentAmend(_Message):
    """The subject replaces ``old`` by ``consent``."""

    KIND = "healthtrust/consent-amend/v1"
    domain: bytes
    subject: bytes
    consent: bytes
    commitment: bytes
    terms: Terms
    old: bytes

    def _words(self) -> tuple[bytes, ...]:
        return self.domain, self.subject, self.consent, self.commitment, self.terms.pack(), self.old

    @classmethod
    def _from_words(cls, words: list[bytes]) -> Self:
        domain_, subject, consent, commitment, packed, old = words
        return cls(domain_, subject, consent, commitment, Terms.unpack(packed), old)


@dataclass(frozen=True, slots=True)
class ConsentRevoke(_Message):
    """The subject takes ``consent`` back."""

    KIND = "healthtrust/consent-revoke/v1"
    domain: bytes
    subject: bytes
    consent: bytes
    nonce: int

    def _words(self) -> tuple[bytes, ...]:
        return self.domain, self.subject, self.consent, Terms(nonce=self.nonce).pack()

    @classmethod
    def _from_words(cls, words: list[bytes]) -> Self:
        domain_, subject, consent, packed = words
        terms = Terms.unpack(packed)
        if terms != Terms(nonce=terms.nonce):
            raise Malformed("message_malformed", detail="a revocation carries only the nonce")
        return cls(domain_, subject, consent, terms.nonce)


@dataclass(frozen=True, slots=True)
class CredentialIssue(_Message):
    """The organisation makes this key a practitioner's of its own; ``roles`` bits of the vocabulary, times in UTC seconds."""

    KIND = "healthtrust/credential-issue/v1"
    domain: bytes
    organisation: bytes
    practitioner: bytes
    public: bytes
    """x‖y, 64 bytes."""
    roles: int
    not_before: int
    not_after: int
    nonce: int

    def _words(self) -> tuple[bytes, ...]:
        numbers = (word(n) for n in (self.roles, self.not_before, self.not_after, self.nonce))
        return self.domain, self.organisation, self.practitioner, self.public[:32], self.public[32:], *numbers

    @classmethod
    def _from_words(cls, words: list[bytes]) -> Self:
        domain_, organisation, practitioner, x, y, roles, not_before, not_after, nonce = words
        return cls(
            domain_, organisation, practitioner, x + y, number(roles), number(not_before), number(not_after), number(nonce)
        )


@dataclass(frozen=True, slots=True)
class CredentialRevoke(_Message):
    """The organisation ends a credential of its own."""

    KIND = "healthtrust/credential-revoke/v1"
    domain: bytes
    organisation: bytes
    practitioner: bytes
    nonce: int

    def _words(self) -> tuple[bytes, ...]:
        return self.domain, self.organisation, self.practitioner, word(self.nonce)

    @classmethod
    def _from_words(cls, words: list[bytes]) -> Self:
        domain_, organisation, practitioner, nonce = words
        return cls(domain_, organisation, practitioner, number(nonce))


@dataclass(frozen=True, slots=True)
class EmergencyOpen(_Message):
    """Two practitioners of the organisation open what is behind ``commitment`` for some minutes, without the resident."""

    KIND = "healthtrust/emergency-open/v1"
    domain: bytes
    organisation: bytes
    id: bytes
    commitment: bytes
    minutes: int

    def _words(self) -> tuple[bytes, ...]:
        return self.domain, self.organisation, self.id, self.commitment, word(self.minutes)

    @classmethod
    def _from_words(cls, words: list[bytes]) -> Self:
        domain_, organisation, id_, commitment, minutes = words
        return cls(domain_, organisation, id_, commitment, number(minutes))


@dataclass(frozen=True, slots=True)
class OrganisationKey(_Message):
    """The organisation's old key hands over to a new one."""

    KIND = "healthtrust/organisation-key/v1"
    domain: bytes
    organisation: bytes
    public: bytes
    """x‖y of the new key, 64 bytes."""
    nonce: int

    def _words(self) -> tuple[bytes, ...]:
        return self.domain, self.organisation, self.public[:32], self.public[32:], word(self.nonce)

    @classmethod
    def _from_words(cls, words: list[bytes]) -> Self:
        domain_, organisation, x, y, nonce = words
        return cls(domain_, organisation, x + y, number(nonce))


@dataclass(frozen=True, slots=True)
class OrganisationLeave(_Message):
    """The organisation leaves the alliance."""

    KIND = "healthtrust/alliance-leave/v1"
    domain: bytes
    organisation: bytes
    nonce: int

    def _words(self) -> tuple[bytes, ...]:
        return self.domain, self.organisation, word(self.nonce)

    @classmethod
    def _from_words(cls, words: list[bytes]) -> Self:
        domain_, organisation, nonce = words
        return cls(domain_, organisation, number(nonce))


@dataclass(frozen=True, slots=True)
class LedgerAccount(_Message):
    """The organisation adds a ledger account of its own, or withdraws one."""

    KIND = "healthtrust/ledger-account/v1"
    domain: bytes
    organisation: bytes
    account: bytes
    """20 bytes."""
    allowed: bool
    nonce: int

    def _words(self) -> tuple[bytes, ...]:
        return self.domain, self.organisation, word(self.account), word(int(self.allowed)), word(self.nonce)

    @classmethod
    def _from_words(cls, words: list[bytes]) -> Self:
        domain_, organisation, account, allowed, nonce = words
        if any(account[:12]) or number(allowed) > 1:
            raise Malformed("message_malformed", detail="not an account of 20 bytes, or not a yes or no")
        return cls(domain_, organisation, account[12:], number(allowed) == 1, number(nonce))


@dataclass(frozen=True, slots=True)
class AllianceProposal(_Message):
    """The organisation proposes to the alliance, and votes for it: ``Action`` number and SM3 of its encoded arguments."""

    KIND = "healthtrust/alliance-proposal/v1"
    domain: bytes
    organisation: bytes
    action: int
    args_digest: bytes
    nonce: int

    def _words(self) -> tuple[bytes, ...]:
        return self.domain, self.organisation, word(self.action), self.args_digest, word(self.nonce)

    @classmethod
    def _from_words(cls, words: list[bytes]) -> Self:
        domain_, organisation, action, digest, nonce = words
        return cls(domain_, organisation, number(action), digest, number(nonce))


@dataclass(frozen=True, slots=True)
class AllianceVote(_Message):
    """The organisation votes for a proposal, named by its number and by what it would do."""

    KIND = "healthtrust/alliance-vote/v1"
    domain: bytes
    organisation: bytes
    proposal: int
    action: int
    args_digest: bytes

    def _words(self) -> tuple[bytes, ...]:
        return self.domain, self.organisation, word(self.proposal), word(self.action), self.args_digest

    @classmethod
    def _from_words(cls, words: list[bytes]) -> Self:
        domain_, organisation, proposal, action, digest = words
        return cls(domain_, organisation, number(proposal), number(action), digest)


Message = (
    KeyBind
    | KeyAttest
    | KeyRotate
    | ConsentGrant
    | ConsentAmend
    | ConsentRevoke
    | CredentialIssue
    | CredentialRevoke
    | EmergencyOpen
    | OrganisationKey
    | OrganisationLeave
    | LedgerAccount
    | AllianceProposal
    | AllianceVote
)
_KINDS: dict[bytes, type[Message]] = {kind_word(m.KIND): m for m in get_args(Message)}


def parse(data: bytes) -> Message:
    """Parse any message by its kind word. Raises Malformed."""
    found = _KINDS.get(data[:32])
    if found is None:
        raise Malformed("message_malformed", detail="no message of a known kind")
    return found.parse(data)
