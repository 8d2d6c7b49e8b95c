"""Break-glass: a reading nobody could consent to in time, opened on the ledger by two people of one organisation, for minutes
(docs/formats.md, Emergency).

The two sign a scope for one of them where otherwise the resident would; the ledger holds its commitment, who opened it and until
when (``Access.emergencyOf``). :func:`standing` turns those words into the consent state that the one decision function reads, so
nothing but that state differs from a reading under a consent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from core import crypto, hexes
from core.decision import ConsentState, ConsentStatus
from core.errors import ArtefactInvalid, HealthTrustError
from core.ids import consent_id
from core.messages import EmergencyOpen
from core.scope import Scope
from core.vocabulary import purpose_number
from core.words import ZERO

KIND: Final = "healthtrust/emergency-artefact"
REASON_PREFIX: Final = b"healthtrust/emergency-reason/v1\0"
PURPOSE = purpose_number("ETREAT")
JUSTIFIED, UNJUSTIFIED = 1, 2
"""Outcomes of ``Access.review``."""
MOST_MINUTES, MOST_REASON = 1440, 500
_MEMBERS = {"kind", "version", "scope", "seed", "reason", "salt", "consent", "minutes", "message", "signers"}


@dataclass(frozen=True, slots=True)
class EmergencyState:
    """What the ledger holds of an emergency; times UTC seconds, ``outcome`` 0 until it was reviewed."""

    organisation: bytes = ZERO
    commitment: bytes = ZERO
    ends_at: int = 0
    outcome: int = 0

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> EmergencyState:
        """From the answer of ``Access.emergencyOf``."""
        return cls(words["organisation"], words["commitment"], words["endsAt"], words["outcome"])


@dataclass(frozen=True, slots=True)
class Signer:
    """One of the two. ``public``: x‖y, 64 bytes; that it is this practitioner's is what the contract checked."""

    practitioner: bytes
    public: bytes
    signature: bytes

    def to_json(self) -> dict[str, str]:
        """One of an artefact's ``signers``."""
        return {
            "practitioner": hexes.to_hex(self.practitioner),
            "publicKey": hexes.to_hex(self.public),
            "signature": hexes.to_hex(self.signature),
        }

    @classmethod
    def from_json(cls, doc: Any) -> Signer:
        """Inverse of :meth:`to_json`. Raises Malformed, KeyError, TypeError."""
        return cls(
            hexes.to_bytes(doc["practitioner"], 32, "practitioner"),
            hexes.to_bytes(doc["publicKey"], 64, "publicKey"),
            hexes.to_bytes(doc["signature"], 64, "signature"),
        )


@dataclass(frozen=True, slots=True)
class EmergencyArtefact:
    """What stands where a consent artefact would. ``seed``: 32 fresh random bytes, which id and salt come from; ``reason``: bound
    by the salt, so that nobody can give another one afterwards; ``message``: the words both signed."""

    scope: Scope
    seed: bytes = field(repr=False)
    reason: str = field(repr=False)
    minutes: int
    message: bytes
    signers: tuple[Signer, Signer]

    @property
    def consent(self) -> bytes:
        """Its id on the ledger; receipts name it where they would name a consent."""
        return consent_id(self.seed, 0)

    @property
    def salt(self) -> bytes:
        """Opens the commitment, and commits to the reason."""
        return salt_of(self.seed, self.reason)

    def to_json(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "kind": KIND,
            "version": 1,
            "scope": self.scope.to_document(),
            "seed": hexes.to_hex(self.seed),
            "reason": self.reason,
            "salt": hexes.to_hex(self.salt),
            "consent": hexes.to_hex(self.consent),
            "minutes": self.minutes,
            "message": hexes.to_hex(self.message),
            "signers": [signer.to_json() for signer in self.signers],
        }

    @classmethod
    def from_json(cls, document: object) -> EmergencyArtefact:
        """Parse and :meth:`check`. Raises ArtefactInvalid."""
        if not isinstance(document, dict) or document.keys() != _MEMBERS or (document["kind"], document["version"]) != (KIND, 1):
            raise ArtefactInvalid(detail="not an emergency artefact of version 1")
        try:
            first, second = (Signer.from_json(one) for one in document["signers"])
            artefact = cls(
                Scope.from_document(document["scope"]),
                hexes.to_bytes(document["seed"], 32, "seed"),
                str(document["reason"]),
                int(document["minutes"]),
                hexes.to_bytes(document["message"], None, "message"),
                (first, second),
            )
        except HealthTrustError as e:
            raise ArtefactInvalid(detail=str(e.params.get("detail", e.en))) from e
        except (KeyError, TypeError, ValueError) as e:
            raise ArtefactInvalid(detail="a part of the emergency artefact is missing") from e
        if artefact.to_json() != document:
            raise ArtefactInvalid(detail="the parts of the emergency artefact do not belong together")
        artefact.check()
        return artefact

    def check(self) -> None:
        """ArtefactInvalid unless scope, reason, words and both signatures belong together. Says nothing about the ledger."""
        check_scope(self.scope, self.reason, self.minutes)
        try:
            told = EmergencyOpen.parse(self.message)
            held = all(crypto.sm2_verify(s.public, self.message, s.signature) for s in self.signers)
        except HealthTrustError as e:
            raise ArtefactInvalid(detail=str(e.params.get("detail", e.en))) from e
        if told != prepare(self.scope, self.seed, self.reason, self.minutes, told.domain):
            raise ArtefactInvalid(detail="what was signed is not about this scope, reason and seed")
        first, second = (signer.practitioner for signer in self.signers)
        if first == second or self.scope.grantee.id not in (first, second):
            raise ArtefactInvalid(detail="an emergency takes two people, one of whom reads")
        if not held:
            raise ArtefactInvalid(detail="a signature does not hold")


def salt_of(seed: bytes, reason: str) -> bytes:
    """Salt of an emergency's commitment: HMAC-SM3(seed, prefix ‖ reason)."""
    return crypto.hmac_sm3(seed, REASON_PREFIX + reason.encode())


def check_scope(scope: Scope, reason: str, minutes: int) -> None:
    """ArtefactInvalid unless this is what an emergency may open: for one person of one organisation, emergency treatment only, no
    handing on, for at most a day, with a reason."""
    grantee = scope.grantee
    if grantee.type != "practitioner" or grantee.organisation is None:
        raise ArtefactInvalid(detail="an emergency is opened for one practitioner of one organisation")
    if scope.purposes != {PURPOSE} or scope.onward_sharing or scope.uses:
        raise ArtefactInvalid(detail="an emergency is for emergency treatment alone, not to be handed on")
    if not 1 <= minutes <= MOST_MINUTES or not 1 <= len(reason.strip()) <= len(reason) <= MOST_REASON:
        limits = f"1 to {MOST_MINUTES} minutes and has a reason of 1 to {MOST_REASON} characters"
        raise ArtefactInvalid(detail=f"an emergency lasts {limits}")


def prepare(scope: Scope, seed: bytes, reason: str, minutes: int, domain: bytes) -> EmergencyOpen:
    """What both sign. ``domain``: of the Access contract."""
    commitment = scope.commitment(salt_of(seed, reason))
    return EmergencyOpen(domain, scope.grantee.organisation or ZERO, consent_id(seed, 0), commitment, minutes)


def standing(held: EmergencyState, organisation: bytes, scope: Scope, time: int) -> ConsentState:
    """The state that the decision reads for a requester of ``organisation`` at ``time``: none for another organisation, expired
    once the ledger's minutes are over, revoked once a reviewer called it unjustified."""
    if held.organisation == ZERO or held.organisation != organisation:
        return ConsentState()
    status = ConsentStatus.REVOKED if held.outcome == UNJUSTIFIED else ConsentStatus.ACTIVE
    end = scope.end if time < held.ends_at else min(scope.end, held.ends_at)
    return ConsentState(scope.subject, held.commitment, scope.start, end, 0, 0, status)
