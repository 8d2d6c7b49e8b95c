"""Access: requests and answers, receipts, break-glass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from core.words import kind_word
from gateway.ledger.memory.contracts.common import AUDITOR, ZERO, active_caller, caller, pack
from gateway.ledger.memory.contracts.identity import CREDENTIAL_ACTIVE, credential, require_signature
from gateway.ledger.memory.frame import Frame, Revert, external

NAME = "Access"
ASKED, ANSWERED = 1, 2
LAST_ANSWER, LAST_OUTCOME = 4, 2
MAX_MINUTES = 1440
REVIEW_PERIOD = 72 * 3600
EMERGENCY = kind_word("healthtrust/emergency-open/v1")


@dataclass(frozen=True, slots=True)
class Asked:
    organisation: bytes = ZERO
    commitment: bytes = ZERO
    status: int = 0
    value: int = 0


@dataclass(frozen=True, slots=True)
class Emergency:
    organisation: bytes = ZERO
    commitment: bytes = ZERO
    ends_at: int = 0
    review_by: int = 0
    outcome: int = 0


@external(NAME, "request(bytes32 id, bytes32 commitment) whenThawed")
def request(f: Frame, id: bytes, commitment: bytes) -> None:
    by = active_caller(f)
    if ZERO in (id, commitment):
        raise Revert("ZeroValue")
    if _asked(f, id).status:
        raise Revert("RequestExists", id)
    f.put(NAME, "request", id, value=Asked(by, commitment, ASKED))
    f.emit(NAME, "AccessRequested", id=id, organisation=by, commitment=commitment)


@external(NAME, "answer(bytes32 id, bytes32 commitment, uint8 value) whenThawed")
def answer(f: Frame, id: bytes, commitment: bytes, value: int) -> None:
    by = active_caller(f)
    asked = _asked(f, id)
    if commitment == ZERO:
        raise Revert("ZeroValue")
    if not asked.status:
        raise Revert("UnknownRequest", id)
    if asked.status == ANSWERED:
        raise Revert("AlreadyAnswered", id)
    if not 0 < value <= LAST_ANSWER:
        raise Revert("UnknownAnswer", value)
    f.put(NAME, "request", id, value=replace(asked, status=ANSWERED, value=value))
    f.emit(NAME, "AccessAnswered", id=id, organisation=by, commitment=commitment, answer=value)


@external(NAME, "record(bytes32 root, uint64 firstNumber, uint32 count, bytes32 headHash)")
def record(f: Frame, root: bytes, first: int, count: int, head_hash: bytes) -> None:
    by = caller(f)
    if ZERO in (root, head_hash) or count == 0:
        raise Revert("ZeroValue")
    batch, following, _ = f.get(NAME, "head", by) or (0, 0, ZERO)
    if first != following:
        raise Revert("WrongNumber", first, following)
    f.put(NAME, "head", by, value=(batch + 1, first + count, head_hash))
    f.put(NAME, "batch", by, batch, value=(root, first, count, f.time))
    args = {"organisation": by, "batch": batch, "root": root, "firstNumber": first, "count": count, "headHash": head_hash}
    f.emit(NAME, "ReceiptsRecorded", **args)


@external(
    NAME,
    "openEmergency(bytes32 id, bytes32 commitment, uint16 minutesOpen, bytes32 first, bytes firstSignature, bytes32 second,"
    " bytes secondSignature) whenThawed",
)
def open_emergency(
    f: Frame,
    id: bytes,
    commitment: bytes,
    minutes: int,
    first: bytes,
    first_signature: bytes,
    second: bytes,
    second_signature: bytes,
) -> None:
    by = active_caller(f)
    if ZERO in (id, commitment):
        raise Revert("ZeroValue")
    if _emergency(f, id).organisation != ZERO:
        raise Revert("EmergencyExists", id)
    if not 0 < minutes <= MAX_MINUTES:
        raise Revert("BadMinutes", minutes, MAX_MINUTES)
    if first == second:
        raise Revert("SamePerson", first)
    message = pack(EMERGENCY, f.facts.domain(NAME), by, id, commitment, minutes)
    _require_person(f, first, by, message, first_signature)
    _require_person(f, second, by, message, second_signature)
    opened = Emergency(by, commitment, f.time + minutes * 60, f.time + REVIEW_PERIOD)
    f.put(NAME, "emergency", id, value=opened)
    args = {"id": id, "organisation": by, "commitment": commitment, "first": first, "second": second}
    f.emit(NAME, "EmergencyOpened", **args, endsAt=opened.ends_at, reviewBy=opened.review_by)


@external(NAME, "review(bytes32 id, uint8 outcome)")
def review(f: Frame, id: bytes, outcome: int) -> None:
    by = active_caller(f, AUDITOR)
    e = _emergency(f, id)
    if e.organisation == ZERO:
        raise Revert("UnknownEmergency", id)
    if e.organisation == by:
        raise Revert("OwnEmergency", id)
    if e.outcome:
        raise Revert("AlreadyReviewed", id)
    if not 0 < outcome <= LAST_OUTCOME:
        raise Revert("UnknownAnswer", outcome)
    f.put(NAME, "emergency", id, value=replace(e, outcome=outcome))
    f.emit(NAME, "EmergencyReviewed", id=id, reviewer=by, outcome=outcome, late=f.time > e.review_by)


@external(NAME, "requestOf(bytes32 id)")
def request_of(f: Frame, id: bytes) -> dict[str, Any]:
    a = _asked(f, id)
    return {"organisation": a.organisation, "commitment": a.commitment, "status": a.status, "value": a.value}


@external(NAME, "receiptsOf(bytes32 organisation)")
def receipts_of(f: Frame, organisation: bytes) -> dict[str, Any]:
    _, following, head_hash = f.get(NAME, "head", organisation) or (0, 0, ZERO)
    return {"nextNumber": following, "headHash": head_hash}


@external(NAME, "receiptBatchOf(bytes32 organisation, uint64 batch)")
def receipt_batch_of(f: Frame, organisation: bytes, batch: int) -> dict[str, Any]:
    found = f.get(NAME, "batch", organisation, batch)
    if found is None:
        raise Revert("UnknownBatch", organisation, batch)
    return dict(zip(("root", "firstNumber", "count", "recordedAt"), found, strict=True))


@external(NAME, "emergencyOf(bytes32 id)")
def emergency_of(f: Frame, id: bytes) -> dict[str, Any]:
    e = _emergency(f, id)
    where = {"organisation": e.organisation, "commitment": e.commitment}
    return {**where, "endsAt": e.ends_at, "reviewBy": e.review_by, "outcome": e.outcome}


@external(NAME, "domain()")
def domain(f: Frame) -> bytes:
    return f.facts.domain(NAME)


def _asked(f: Frame, id: bytes) -> Asked:
    return f.get(NAME, "request", id) or Asked()


def _emergency(f: Frame, id: bytes) -> Emergency:
    return f.get(NAME, "emergency", id) or Emergency()


def _require_person(f: Frame, practitioner: bytes, organisation: bytes, message: bytes, signature: bytes) -> None:
    if len(signature) != 64:
        raise Revert("BadSignatureLength", len(signature))
    c = credential(f, practitioner)
    current = c.not_before <= f.time < c.not_after and c.status == CREDENTIAL_ACTIVE
    if c.organisation != organisation or not current:
        raise Revert("CredentialInvalid", practitioner)
    require_signature(c.x, c.y, message, signature, practitioner)
