"""C070 – C089: granting, narrowing, taking back, spending; and what is decided from it."""

from __future__ import annotations

from typing import Any

import pytest

from core import artefact, crypto
from core.artefact import ConsentArtefact
from core.ids import use_preimage
from gateway.ledger.port import Call
from tests.conformance.refusals import name_of, refused, with_args
from tests.conformance.test_alliance import newcomer
from tests.support.world import DAY, Practitioner, Resident, World, amend_call, grant_call

PERMIT, DENY, NO_CONSENT = 1, 2, 0
OK, SUBJECT_MISMATCH, REVOKED, AMENDED, EXPIRED, NOT_YET, EXHAUSTED = 0, 7, 8, 9, 11, 10, 12


def pair(world: World) -> tuple[Resident, Practitioner]:
    return world.resident(), world.practitioner(world.hospital)


def consent_of(world: World, consent: ConsentArtefact) -> dict[str, Any]:
    found: dict[str, Any] = world.ledger.read(Call("Consent", "consentOf", {"consent": consent.consent}))
    return found


def test_c070_a_grant_stores_the_seal_and_nothing_else(common: World) -> None:
    resident, doctor = pair(common)
    made = common.sign(resident, common.scope(resident, doctor, uses=3))
    outcome = common.send((common.operator, grant_call(made)))[0]
    (event,) = outcome.events
    packed = int.from_bytes(made.message[160:192], "big")
    digest = crypto.sm3(common.ledger.read(Call("Identity", "keyOf", {"subject": resident.subject}))["z"] + made.message)
    commitment = made.scope.commitment(made.salt)
    shown = {"consent": made.consent, "subject": resident.subject, "commitment": commitment, "packed": packed}
    assert (event.name, event.args) == ("ConsentGranted", {**shown, "messageHash": digest})
    stored = {"subject": resident.subject, "commitment": commitment, "packed": packed, "uses": 0, "status": 1}
    assert consent_of(common, made) == {**stored, "successor": bytes(32)}
    assert common.consent_nonce(resident) == 1


def test_c071_anyone_may_relay_what_the_resident_signed(common: World) -> None:
    resident, doctor = pair(common)
    common.send((newcomer(common), grant_call(common.sign(resident, common.scope(resident, doctor)))))


@pytest.mark.parametrize("word", ["subject", "consent", "commitment", "period", "uses", "nonce", "r", "s"])
def test_c072_nothing_in_a_grant_can_be_changed(common: World, word: str) -> None:
    resident, doctor = pair(common)
    call = grant_call(common.sign(resident, common.scope(resident, doctor)))
    packed = call.args["packed"]
    changes: dict[str, Any] = {
        "subject": {"subject": common.resident().subject},
        "consent": {"consent": b"\5" * 32},
        "commitment": {"commitment": b"\5" * 32},
        "period": {"packed": packed + (1 << 128)},
        "uses": {"packed": packed + (1 << 96)},
        "nonce": {"packed": packed + 1},
        "r": {"r": b"\5" * 32},
        "s": {"s": b"\5" * 32},
    }[word]
    expected = "WrongNonce" if word == "nonce" else "BadSignature"
    assert name_of(refused(common, common.operator, with_args(call, **changes))) == expected


@pytest.mark.parametrize("value", [bytes(32), b"\xff" * 32])
def test_c073_signature_words_out_of_range_are_refused(common: World, value: bytes) -> None:
    resident, doctor = pair(common)
    call = grant_call(common.sign(resident, common.scope(resident, doctor)))
    for name in ("r", "s"):
        assert name_of(refused(common, common.operator, with_args(call, **{name: value}))) == "BadSignature"


def test_c074_a_grant_serves_once(common: World) -> None:
    resident, doctor = pair(common)
    made = common.sign(resident, common.scope(resident, doctor))
    common.send((common.operator, grant_call(made)))
    assert refused(common, common.operator, grant_call(made)) == "WrongNonce(0, 1)"
    same = common.sign(resident, made.scope)
    reused = with_args(grant_call(same), consent=made.consent)
    assert name_of(refused(common, common.operator, reused)) == "BadSignature"


def test_c152_whoever_takes_an_id_first_wins_nothing_and_costs_the_resident_one_signature(common: World) -> None:
    """Consent ids are public while a grant waits: somebody may write the same id under a subject of their own."""
    (resident, doctor), squatter = pair(common), common.resident()
    request, made = common.request(resident, doctor, common.platform), common.sign(resident, common.scope(resident, doctor))
    domain, nonce, scope = common.domain("Consent"), common.consent_nonce(squatter), common.scope(squatter, doctor)
    squatted = artefact.build(scope, squatter.keys.private, domain, nonce, seed=made.seed)
    common.send((common.operator, grant_call(squatted)))
    assert name_of(refused(common, common.operator, grant_call(made))) == "ConsentExists"
    assert common.consent_nonce(resident) == 0
    assert common.decide(request, made)["reason"] == SUBJECT_MISMATCH
    again = common.grant(resident, common.scope(resident, doctor))
    assert common.decide(request, again)["outcome"] == PERMIT


def test_c075_a_stranger_cannot_grant_for_a_resident(common: World) -> None:
    resident, doctor = pair(common)
    thief = Resident(resident.subject, crypto.sm2_generate())
    made = common.sign(thief, common.scope(thief, doctor))
    assert name_of(refused(common, common.operator, grant_call(made))) == "BadSignature"
    nobody = Resident(common.new_subject(), crypto.sm2_generate())
    assert name_of(refused(common, common.operator, grant_call(common.sign(nobody, common.scope(nobody, doctor))))) == "NoKey"


@pytest.mark.parametrize(("start", "end"), [(-DAY, -1), (10, 10), (20, 10)])
def test_c076_a_period_that_is_over_or_empty_is_refused(common: World, start: int, end: int) -> None:
    resident, doctor = pair(common)
    now = common.now()
    made = common.sign(resident, common.scope(resident, doctor, start=now + start, end=now + end))
    assert refused(common, common.operator, grant_call(made)) == f"BadPeriod({now + start}, {now + end})"


def test_c077_an_amendment_replaces_and_points_on(common: World) -> None:
    resident, doctor = pair(common)
    old = common.grant(resident, common.scope(resident, doctor))
    new = common.amend(resident, old, common.scope(resident, doctor, categories={"laboratory"}))
    assert (consent_of(common, old)["status"], consent_of(common, old)["successor"]) == (2, new.consent)
    assert consent_of(common, new)["status"] == 1
    request = common.request(resident, doctor, common.platform)
    assert common.decide(request, old)["reason"] == AMENDED
    assert common.decide(request, new)["outcome"] == PERMIT
    narrowed = common.decide({**request, "category": 5}, new)
    assert (narrowed["outcome"], narrowed["fields"]) == (DENY, 0)


def test_c078_only_ones_own_active_consent_is_amended(common: World) -> None:
    (resident, doctor), (other, _) = pair(common), pair(common)
    theirs = common.grant(other, common.scope(other, doctor))
    made = common.sign(resident, common.scope(resident, doctor), old=theirs.consent)
    assert name_of(refused(common, common.operator, amend_call(made, theirs.consent))) == "WrongSubject"
    unknown = common.sign(resident, common.scope(resident, doctor), old=b"\6" * 32)
    assert name_of(refused(common, common.operator, amend_call(unknown, b"\6" * 32))) == "ConsentNotActive"
    assert consent_of(common, theirs)["status"] == 1


def test_c079_a_revocation_holds_at_once_and_for_good(common: World) -> None:
    resident, doctor = pair(common)
    made = common.grant(resident, common.scope(resident, doctor))
    request = common.request(resident, doctor, common.platform)
    assert common.decide(request, made) == {"outcome": PERMIT, "reason": OK, "fields": request["fields"]}
    outcome = common.revoke(resident, made.consent)
    assert [(e.name, e.args["consent"]) for e in outcome.events] == [("ConsentRevoked", made.consent)]
    assert common.decide(request, made) == {"outcome": DENY, "reason": REVOKED, "fields": 0}
    assert name_of(refused(common, common.operator, common.revocation(resident, made.consent))) == "ConsentNotActive"
    again = common.sign(resident, made.scope, old=made.consent)
    assert name_of(refused(common, common.operator, amend_call(again, made.consent))) == "ConsentNotActive"


def test_c080_nobody_else_revokes_and_reserved_bits_stay_zero(common: World) -> None:
    resident, doctor = pair(common)
    made = common.grant(resident, common.scope(resident, doctor))
    thief = common.resident()
    call = common.revocation(Resident(resident.subject, thief.keys), made.consent)
    assert name_of(refused(common, common.operator, call)) == "BadSignature"
    own = common.revocation(thief, made.consent)
    assert name_of(refused(common, common.operator, own)) == "WrongSubject"
    right = common.revocation(resident, made.consent)
    assert name_of(refused(common, common.operator, with_args(right, packed=1 << 64 | 1))) == "ReservedBits"


def test_c081_a_revocation_may_overtake_nothing(common: World) -> None:
    """Nonces order a subject's will: what was signed before a revocation cannot be put on after it."""
    resident, doctor = pair(common)
    made = common.grant(resident, common.scope(resident, doctor))
    kept_back = common.sign(resident, common.scope(resident, doctor))
    common.revoke(resident, made.consent)
    assert refused(common, common.operator, grant_call(kept_back)) == "WrongNonce(1, 2)"


def spend(consent: ConsentArtefact, use: int) -> Call:
    preimage = use_preimage(consent.seed, consent.scope.uses, use)
    return Call("Consent", "spend", {"consent": consent.consent, "preimage": preimage})


def test_c082_uses_are_spent_in_order_each_once(common: World) -> None:
    resident, doctor = pair(common)
    made = common.grant(resident, common.scope(resident, doctor, uses=2))
    request = common.request(resident, doctor, common.platform)
    assert name_of(refused(common, common.hospital, spend(made, 2))) == "WrongPreimage"
    outcome = common.send((common.hospital, spend(made, 1)))[0]
    assert [(e.name, e.args["uses"], e.args["by"]) for e in outcome.events] == [("ConsentSpent", 1, common.hospital.id)]
    assert name_of(refused(common, common.platform, spend(made, 1))) == "WrongPreimage"
    assert common.decide(request, made)["outcome"] == PERMIT
    common.send((common.platform, spend(made, 2)))
    assert common.decide(request, made) == {"outcome": DENY, "reason": EXHAUSTED, "fields": 0}
    assert name_of(refused(common, common.platform, spend(made, 2))) == "UsesExhausted"


def test_c083_two_gates_cannot_both_spend_the_last_use(common: World) -> None:
    resident, doctor = pair(common)
    made = common.grant(resident, common.scope(resident, doctor, uses=1))
    outcomes = common.attempt((common.hospital, spend(made, 1)), (common.platform, spend(made, 1)))
    assert sorted(o.status for o in outcomes) == ["committed", "failed"]


def test_c084_only_members_spend_only_active_consents_within_the_period(common: World) -> None:
    resident, doctor = pair(common)
    made = common.grant(resident, common.scope(resident, doctor, uses=1))
    assert name_of(refused(common, newcomer(common), spend(made, 1))) == "NotAMember"
    unlimited = common.grant(resident, common.scope(resident, doctor))
    free = Call("Consent", "spend", {"consent": unlimited.consent, "preimage": unlimited.seed})
    assert name_of(refused(common, common.hospital, free)) == "UsesExhausted"
    later = common.scope(resident, doctor, start=common.now() + DAY, end=common.now() + 2 * DAY, uses=1)
    future = common.grant(resident, later)
    assert name_of(refused(common, common.hospital, spend(future, 1))) == "OutsidePeriod"
    common.revoke(resident, made.consent)
    assert name_of(refused(common, common.hospital, spend(made, 1))) == "ConsentNotActive"


def test_c085_time_decides_at_its_edges(common: World) -> None:
    resident, doctor = pair(common)
    scope = common.scope(resident, doctor)
    made = common.grant(resident, scope)
    request = common.request(resident, doctor, common.platform)
    # the credential is valid from the same minute on, so the consent's own start is judged with a credential older than it
    for at, reason in ((scope.end - 1, OK), (scope.end, EXPIRED)):
        assert common.decide(request, made, at)["reason"] == reason
    late = common.grant(resident, common.scope(resident, doctor, start=common.now() + DAY, end=common.now() + 2 * DAY))
    for at, reason in ((late.scope.start - 1, NOT_YET), (late.scope.start, OK)):
        assert common.decide(request, late, at)["reason"] == reason


def test_c086_a_scope_shown_otherwise_than_sealed_opens_nothing(common: World) -> None:
    resident, doctor = pair(common)
    made = common.grant(resident, common.scope(resident, doctor, categories={"laboratory"}))
    wider = common.scope(resident, doctor, start=made.scope.start, end=made.scope.end)
    request = common.request(resident, doctor, common.platform, category=5)
    args = {"request": request, "consent": made.consent, "salt": made.salt, "time": common.now()}
    shown = common.ledger.read(Call("Consent", "decide", {**args, "scopeWords": wider.words()}))
    assert (shown["outcome"], shown["reason"], shown["fields"]) == (DENY, 13, 0)
    salted = common.ledger.read(Call("Consent", "decide", {**args, "scopeWords": made.scope.words(), "salt": bytes(32)}))
    assert salted["reason"] == 13
    empty = common.ledger.read(Call("Consent", "decide", {**args, "scopeWords": b"", "salt": made.salt}))
    assert empty["reason"] == 13


def test_c087_no_consent_is_not_a_denial(common: World) -> None:
    resident, doctor = pair(common)
    unsent = common.sign(resident, common.scope(resident, doctor))
    decided = common.decide(common.request(resident, doctor, common.platform), unsent)
    assert decided == {"outcome": NO_CONSENT, "reason": 6, "fields": 0}


def test_c088_states_of_many_are_the_words_a_decision_needs(common: World) -> None:
    resident, doctor = pair(common)
    made = common.grant(resident, common.scope(resident, doctor, uses=5))
    known = {
        "consent": made.consent,
        "requester": doctor.id,
        "requesterOrganisation": common.hospital.id,
        "custodian": common.platform.id,
    }
    unknown = {name: b"\x09" * 32 for name in known}
    one, two = common.ledger.read(Call("Consent", "statesOf", {"queries": [known, unknown]}))
    consent = {"subject": resident.subject, "commitment": made.scope.commitment(made.salt), "notBefore": made.scope.start}
    assert one["consent"] == {**consent, "notAfter": made.scope.end, "useLimit": 5, "uses": 0, "status": 1}
    assert (one["requesterOrganisation"], one["custodian"], one["credential"]["roles"]) == (1, 1, 1)
    assert (two["consent"]["status"], two["requesterOrganisation"], two["credential"]["status"]) == (0, 0, 0)


def test_c089_many_decisions_are_the_single_ones(common: World) -> None:
    resident, doctor = pair(common)
    made = common.grant(resident, common.scope(resident, doctor, categories={"laboratory"}))
    now = common.now()
    requests = [common.request(resident, doctor, common.platform, category=c) for c in range(16)]
    single = [common.decide(r, made, now) for r in requests]
    asks = [{"request": r, "consent": made.consent, "scopeWords": made.scope.words(), "salt": made.salt} for r in requests]
    assert common.ledger.read(Call("Consent", "decideMany", {"asks": asks, "time": now})) == single
    assert [d["outcome"] for d in single] == [PERMIT if c == 3 else DENY for c in range(16)]
