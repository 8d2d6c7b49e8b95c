"""Consent: what residents granted, sealed, and the decision over it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from core import crypto, decision
from core.words import kind_word
from gateway.ledger.memory.contracts.common import ZERO, active_caller, member, pack, verify
from gateway.ledger.memory.contracts.identity import credential, credential_state, key
from gateway.ledger.memory.frame import Frame, Revert, external

NAME = "Consent"
NONE, ACTIVE, AMENDED, REVOKED = range(4)
GRANT, AMEND = kind_word("healthtrust/consent-grant/v1"), kind_word("healthtrust/consent-amend/v1")
REVOKE = kind_word("healthtrust/consent-revoke/v1")
U64 = (1 << 64) - 1
U32 = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Sealed:
    """``link``: the last value shown of the use chain, or the successor of an amended consent."""

    subject: bytes = ZERO
    commitment: bytes = ZERO
    not_before: int = 0
    not_after: int = 0
    use_limit: int = 0
    uses: int = 0
    nonce: int = 0
    status: int = NONE
    link: bytes = ZERO


@external(NAME, "grant(bytes32 subject, bytes32 consent, bytes32 commitment, uint256 packed, bytes32 r, bytes32 s) whenThawed")
def grant(f: Frame, subject: bytes, consent: bytes, commitment: bytes, packed: int, r: bytes, s: bytes) -> None:
    message = pack(GRANT, f.facts.domain(NAME), subject, consent, commitment, packed)
    digest = _authorise(f, subject, packed, message, r, s)
    _store(f, subject, consent, commitment, packed)
    args = {"consent": consent, "subject": subject, "commitment": commitment, "packed": packed}
    f.emit(NAME, "ConsentGranted", **args, messageHash=digest)


@external(
    NAME,
    "amend(bytes32 subject, bytes32 oldConsent, bytes32 consent, bytes32 commitment, uint256 packed, bytes32 r, bytes32 s)"
    " whenThawed",
)
def amend(f: Frame, subject: bytes, old: bytes, consent: bytes, commitment: bytes, packed: int, r: bytes, s: bytes) -> None:
    message = pack(AMEND, f.facts.domain(NAME), subject, consent, commitment, packed, old)
    digest = _authorise(f, subject, packed, message, r, s)
    f.put(NAME, "consent", old, value=replace(_require_active(f, old, subject), status=AMENDED, link=consent))
    _store(f, subject, consent, commitment, packed)
    args = {"old": old, "consent": consent, "subject": subject, "commitment": commitment, "packed": packed}
    f.emit(NAME, "ConsentAmended", **args, messageHash=digest)


@external(NAME, "revoke(bytes32 subject, bytes32 consent, uint256 packed, bytes32 r, bytes32 s)")
def revoke(f: Frame, subject: bytes, consent: bytes, packed: int, r: bytes, s: bytes) -> None:
    if packed >> 64:
        raise Revert("ReservedBits", packed)
    message = pack(REVOKE, f.facts.domain(NAME), subject, consent, packed)
    digest = _authorise(f, subject, packed, message, r, s)
    f.put(NAME, "consent", consent, value=replace(_require_active(f, consent, subject), status=REVOKED))
    f.emit(NAME, "ConsentRevoked", consent=consent, subject=subject, packed=packed, messageHash=digest)


@external(NAME, "spend(bytes32 consent, bytes32 preimage) whenThawed")
def spend(f: Frame, consent: bytes, preimage: bytes) -> None:
    by = active_caller(f)
    c = _sealed(f, consent)
    if c.status != ACTIVE:
        raise Revert("ConsentNotActive", consent, c.status)
    if not c.not_before <= f.time < c.not_after:
        raise Revert("OutsidePeriod", consent, f.time)
    if c.uses >= c.use_limit:
        raise Revert("UsesExhausted", consent, c.use_limit)
    if crypto.sm3(preimage) != (c.link if c.uses else consent):
        raise Revert("WrongPreimage", consent)
    f.put(NAME, "consent", consent, value=replace(c, uses=c.uses + 1, link=preimage))
    f.emit(NAME, "ConsentSpent", consent=consent, uses=c.uses + 1, by=by)


@external(NAME, "consentOf(bytes32 consent)")
def consent_of(f: Frame, consent: bytes) -> dict[str, Any]:
    c = _sealed(f, consent)
    packed = c.not_before << 192 | c.not_after << 128 | c.use_limit << 96 | c.nonce
    successor = c.link if c.status == AMENDED else ZERO
    facts = {"subject": c.subject, "commitment": c.commitment, "packed": packed, "uses": c.uses}
    return {**facts, "status": c.status, "successor": successor}


@external(NAME, "nonceOf(bytes32 subject)")
def nonce_of(f: Frame, subject: bytes) -> int:
    return f.get(NAME, "nonce", subject) or 0


@external(NAME, "statesOf(Query[] queries) whenThawed")
def states_of(f: Frame, queries: list[dict[str, bytes]]) -> list[dict[str, Any]]:
    return [_state_words(f, q) for q in queries]


@external(NAME, "decide(Request request, bytes32 consent, bytes scopeWords, bytes32 salt, uint64 time) whenThawed")
def decide(f: Frame, request: dict[str, Any], consent: bytes, words: bytes, salt: bytes, time: int) -> dict[str, int]:
    state = decision.State(
        consent=_decision_consent(_sealed(f, consent)),
        organisation=member(f, request["requesterOrganisation"]).status,
        custodian=member(f, request["custodian"]).status,
        credential=_decision_credential(f, request["requester"]),
    )
    answer = decision.decide(state, _decision_request(request), words, salt, time)
    return {"outcome": int(answer.outcome), "reason": int(answer.reason), "fields": answer.fields}


@external(NAME, "decideMany(Ask[] asks, uint64 time) whenThawed")
def decide_many(f: Frame, asks: list[dict[str, Any]], time: int) -> list[dict[str, int]]:
    return [decide(f, a["request"], a["consent"], a["scopeWords"], a["salt"], time) for a in asks]


@external(NAME, "domain()")
def domain(f: Frame) -> bytes:
    return f.facts.domain(NAME)


def _sealed(f: Frame, consent: bytes) -> Sealed:
    return f.get(NAME, "consent", consent) or Sealed()


def _store(f: Frame, subject: bytes, consent: bytes, commitment: bytes, packed: int) -> None:
    if ZERO in (consent, commitment):
        raise Revert("ZeroValue")
    if _sealed(f, consent).status != NONE:
        raise Revert("ConsentExists", consent)
    not_before, not_after = packed >> 192, packed >> 128 & U64
    if packed >> 64 & U32:
        raise Revert("ReservedBits", packed)
    if not_before >= not_after or not_after <= f.time:
        raise Revert("BadPeriod", not_before, not_after)
    stored = Sealed(subject, commitment, not_before, not_after, packed >> 96 & U32, 0, packed & U64, ACTIVE)
    f.put(NAME, "consent", consent, value=stored)


def _authorise(f: Frame, subject: bytes, packed: int, message: bytes, r: bytes, s: bytes) -> bytes:
    nonce = nonce_of(f, subject)
    if packed & U64 != nonce:
        raise Revert("WrongNonce", packed & U64, nonce)
    f.put(NAME, "nonce", subject, value=nonce + 1)
    k = key(f, subject)
    if not k.version:
        raise Revert("NoKey", subject)
    valid, digest = verify(k.x, k.y, message, r, s)
    if not valid:
        raise Revert("BadSignature", digest)
    return digest


def _require_active(f: Frame, consent: bytes, subject: bytes) -> Sealed:
    c = _sealed(f, consent)
    if c.status != ACTIVE:
        raise Revert("ConsentNotActive", consent, c.status)
    if c.subject != subject:
        raise Revert("WrongSubject", consent, subject)
    return c


def _state_words(f: Frame, q: dict[str, bytes]) -> dict[str, Any]:
    c = _sealed(f, q["consent"])
    return {
        "consent": {
            "subject": c.subject,
            "commitment": c.commitment,
            "notBefore": c.not_before,
            "notAfter": c.not_after,
            "useLimit": c.use_limit,
            "uses": c.uses,
            "status": c.status,
        },
        "requesterOrganisation": member(f, q["requesterOrganisation"]).status,
        "custodian": member(f, q["custodian"]).status,
        "credential": credential_state(f, q["requester"]),
    }


def _decision_consent(c: Sealed) -> decision.ConsentState:
    return decision.ConsentState(c.subject, c.commitment, c.not_before, c.not_after, c.use_limit, c.uses, c.status)


def _decision_credential(f: Frame, practitioner: bytes) -> decision.Credential:
    c = credential(f, practitioner)
    return decision.Credential(c.organisation, c.roles, c.not_before, c.not_after, c.status)


def _decision_request(q: dict[str, Any]) -> decision.Request:
    return decision.Request(
        organisation=q["requesterOrganisation"], **{k: v for k, v in q.items() if k != "requesterOrganisation"}
    )
