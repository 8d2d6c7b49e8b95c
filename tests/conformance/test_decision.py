"""C139 – C149, C155 – C164: decisions over states that came about by writes, and the lives of consents and keys they rest on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core import crypto
from core.scope import Grantee
from core.vocabulary import purpose_number, role_number
from gateway.ledger.port import Call
from tests.conformance.refusals import with_args
from tests.conformance.test_consent import (
    AMENDED,
    DENY,
    EXHAUSTED,
    EXPIRED,
    NO_CONSENT,
    OK,
    PERMIT,
    SUBJECT_MISMATCH,
    consent_of,
    pair,
    spend,
)
from tests.conformance.test_identity import rotation
from tests.support.world import DAY, Resident, World, amend_call, grant_call

SELF, MALFORMED, CREDENTIAL_INVALID = 1, 2, 5
GRANTEE, PURPOSE, CUSTODIAN, RECORD, FIELDS = 16, 17, 19, 20, 21
NOBODY = bytes(32)


def test_c139_a_credential_counts_from_its_first_second_to_before_its_last(common: World) -> None:
    (resident, doctor), start = pair(common), common.now() - 60
    made = common.grant(resident, common.scope(resident, doctor, start=start - DAY, end=start + 900 * DAY))
    held = common.ledger.read(Call("Identity", "credentialOf", {"practitioner": doctor.id}))
    request = common.request(resident, doctor, common.platform)
    first, last = held["notBefore"], held["notAfter"]
    for at, reason in ((first - 1, CREDENTIAL_INVALID), (first, OK), (last - 1, OK), (last, CREDENTIAL_INVALID)):
        assert common.decide(request, made, at)["reason"] == reason


def test_c140_who_is_dismissed_reads_nothing_until_issued_again(common: World) -> None:
    resident, doctor = pair(common)
    made = common.grant(resident, common.scope(resident, doctor))
    request = common.request(resident, doctor, common.platform)
    common.send((common.hospital, common.dismissal(doctor)))
    assert common.decide(request, made)["reason"] == CREDENTIAL_INVALID
    common.send((common.hospital, common.credential(doctor, common.now() - 60, common.now() + DAY)))
    assert common.decide(request, made)["outcome"] == PERMIT


def test_c141_a_role_that_the_credential_lacks_is_not_claimed(common: World) -> None:
    resident, nurse = common.resident(), common.practitioner(common.hospital, roles=("nurse", "technician"))
    made = common.grant(resident, common.scope(resident, nurse))
    for role, reason in (("nurse", OK), ("technician", OK), ("physician", CREDENTIAL_INVALID)):
        request = common.request(resident, nurse, common.platform, role=role_number(role))
        assert common.decide(request, made)["reason"] == reason


def test_c142_nobody_asks_in_the_name_of_another_organisation(common: World) -> None:
    resident, doctor = pair(common)
    made = common.grant(resident, common.scope(resident, common.platform))
    claimed = common.request(resident, doctor, common.platform, requesterOrganisation=common.platform.id)
    assert common.decide(claimed, made)["reason"] == CREDENTIAL_INVALID


def test_c143_a_consent_to_an_organisation_is_for_all_who_work_there(common: World) -> None:
    resident, made_for = common.resident(), common.hospital
    made = common.grant(resident, common.scope(resident, made_for))
    for doctor in (common.practitioner(made_for), common.practitioner(made_for)):
        assert common.decide(common.request(resident, doctor, common.platform), made)["outcome"] == PERMIT
    other = common.practitioner(common.platform)
    assert common.decide(common.request(resident, other, common.platform), made)["reason"] == GRANTEE


def test_c144_a_consent_to_a_role_may_be_bound_to_an_organisation(common: World) -> None:
    resident, nurse = common.resident(), role_number("nurse")
    here, there = (common.practitioner(o, roles=("nurse",)) for o in (common.hospital, common.platform))
    for bound, reasons in ((None, (OK, OK)), (common.hospital.id, (OK, GRANTEE))):
        scope = replace(common.scope(resident, common.hospital), grantee=Grantee.role(nurse, bound))
        made = common.grant(resident, scope)
        asked = [common.request(resident, p, common.platform, role=nurse) for p in (here, there)]
        assert tuple(common.decide(q, made)["reason"] for q in asked) == reasons
    doctor = common.practitioner(common.hospital)
    assert common.decide(common.request(resident, doctor, common.platform), made)["reason"] == GRANTEE


def test_c145_only_the_purposes_granted_count(common: World) -> None:
    resident, doctor = pair(common)
    made = common.grant(resident, common.scope(resident, doctor, purposes={"TREAT", "HRESCH"}))
    for code, reason in (("TREAT", OK), ("HRESCH", OK), ("HPAYMT", PURPOSE)):
        request = common.request(resident, doctor, common.platform, purpose=purpose_number(code))
        assert common.decide(request, made)["reason"] == reason


def test_c146_only_the_custodians_and_records_named_are_opened(common: World) -> None:
    resident, doctor = pair(common)
    record = crypto.sm3(b"the one")
    scope = common.scope(
        resident, doctor, custodians=frozenset({common.platform.id}), records=frozenset({record, crypto.sm3(b"two")})
    )
    made = common.grant(resident, scope)
    for custodian, asked, reason in (
        (common.platform, record, OK),
        (common.hospital, record, CUSTODIAN),
        (common.platform, crypto.sm3(b"another"), RECORD),
    ):
        assert common.decide(common.request(resident, doctor, custodian, record=asked), made)["reason"] == reason


def test_c147_fields_are_those_asked_for_and_granted(common: World) -> None:
    resident, doctor = pair(common)
    schema = crypto.sm3(b"type")
    made = common.grant(resident, common.scope(resident, doctor, fields={schema: 0b1011}))
    ask = common.request(resident, doctor, common.platform, schema=schema, fields=0b0110)
    assert common.decide(ask, made) == {"outcome": PERMIT, "reason": OK, "fields": 0b0010}
    assert common.decide({**ask, "fields": 0b0100}, made) == {"outcome": DENY, "reason": FIELDS, "fields": 0}
    assert common.decide({**ask, "schema": crypto.sm3(b"another type")}, made)["reason"] == FIELDS
    assert common.decide({**ask, "fields": 0}, made)["reason"] == MALFORMED


def test_c148_the_highest_field_is_a_field(common: World) -> None:
    resident, doctor = pair(common)
    schema, highest = crypto.sm3(b"large type"), 1 << 255
    made = common.grant(resident, common.scope(resident, doctor, fields={schema: highest}))
    ask = common.request(resident, doctor, common.platform, schema=schema)
    assert common.decide(ask, made) == {"outcome": PERMIT, "reason": OK, "fields": highest}


def test_c149_residents_read_their_own_without_a_consent(common: World) -> None:
    (resident, doctor), unsent = pair(common), common.sign(common.resident(), common.scope(common.resident(), common.hospital))
    own = {"requester": resident.subject, "requesterOrganisation": NOBODY, "purpose": purpose_number("PATRQT")}
    ask = common.request(resident, doctor, common.platform, **own)
    assert common.decide(ask, unsent) == {"outcome": PERMIT, "reason": SELF, "fields": ask["fields"]}
    assert common.decide({**ask, "custodian": crypto.sm3(b"no member")}, unsent)["reason"] == 3
    assert common.decide({**ask, "purpose": purpose_number("TREAT")}, unsent)["reason"] == MALFORMED
    assert common.decide({**ask, "requesterOrganisation": common.hospital.id}, unsent)["reason"] == CREDENTIAL_INVALID


@pytest.mark.parametrize("name", ["subject", "requester", "requesterOrganisation", "custodian", "record", "schema"])
def test_c155_a_request_that_leaves_a_word_empty_is_malformed(common: World, name: str) -> None:
    resident, doctor = Resident(crypto.sm3(b"anybody"), crypto.sm2_generate()), common.practitioner(common.hospital)
    unsent = common.sign(resident, common.scope(resident, doctor))
    ask = {**common.request(resident, doctor, common.platform), name: NOBODY}
    assert common.decide(ask, unsent) == {"outcome": DENY, "reason": MALFORMED, "fields": 0}


def test_c156_one_consent_opens_nobody_elses_record(common: World) -> None:
    (resident, doctor), other = pair(common), common.resident()
    made = common.grant(resident, common.scope(resident, doctor))
    assert common.decide(common.request(other, doctor, common.platform), made)["reason"] == SUBJECT_MISMATCH


def test_c157_amendments_form_a_chain_with_one_live_end(common: World) -> None:
    resident, doctor = pair(common)
    first = common.grant(resident, common.scope(resident, doctor))
    second = common.amend(resident, first, common.scope(resident, doctor, categories={"laboratory"}))
    third = common.amend(resident, second, common.scope(resident, doctor))
    assert [consent_of(common, c)["successor"] for c in (first, second, third)] == [second.consent, third.consent, NOBODY]
    ask = common.request(resident, doctor, common.platform)
    assert [common.decide(ask, c)["reason"] for c in (first, second, third)] == [AMENDED, AMENDED, OK]
    again = common.sign(resident, common.scope(resident, doctor), old=first.consent)
    assert common.refusal(common.operator, amend_call(again, first.consent)) == "ConsentNotActive"
    assert common.refusal(common.operator, common.revocation(resident, second.consent)) == "ConsentNotActive"


def test_c158_an_amendment_names_the_consent_that_it_replaces(common: World) -> None:
    resident, doctor = pair(common)
    one, two = (common.grant(resident, common.scope(resident, doctor)) for _ in range(2))
    made = common.sign(resident, common.scope(resident, doctor), old=one.consent)
    assert common.refusal(common.operator, amend_call(made, two.consent)) == "BadSignature"
    assert common.refusal(common.operator, grant_call(made)) == "BadSignature"
    over = common.scope(resident, doctor, start=common.now() - 2 * DAY, end=common.now() - DAY)
    ended = common.sign(resident, over, old=one.consent)
    assert common.refusal(common.operator, amend_call(ended, one.consent)) == "BadPeriod"
    assert [consent_of(common, c)["status"] for c in (one, two)] == [1, 1]


def test_c159_an_amendment_counts_its_uses_from_none(common: World) -> None:
    resident, doctor = pair(common)
    old = common.grant(resident, common.scope(resident, doctor, uses=1))
    common.send((common.hospital, spend(old, 1)))
    ask = common.request(resident, doctor, common.platform)
    assert common.decide(ask, old)["reason"] == EXHAUSTED
    new = common.amend(resident, old, common.scope(resident, doctor, uses=1))
    assert (common.decide(ask, new)["reason"], consent_of(common, new)["uses"]) == (OK, 0)
    assert common.refusal(common.hospital, spend(old, 1)) == "ConsentNotActive"


def test_c160_what_the_old_key_granted_stays_and_only_the_new_key_grants_on(common: World) -> None:
    resident, doctor = pair(common)
    before = common.grant(resident, common.scope(resident, doctor))
    held_back = common.sign(resident, common.scope(resident, doctor))
    renewed = Resident(resident.subject, crypto.sm2_generate())
    common.send((common.operator, rotation(common, resident, renewed.keys)))
    assert common.refusal(common.operator, grant_call(held_back)) == "BadSignature"
    assert common.refusal(common.operator, common.revocation(resident, before.consent)) == "BadSignature"
    assert common.decide(common.request(resident, doctor, common.platform), before)["outcome"] == PERMIT
    common.revoke(renewed, before.consent)
    common.grant(renewed, common.scope(renewed, doctor))


def test_c161_a_consent_without_uses_left_or_time_left_says_which(common: World) -> None:
    """Both over: the period is judged first, on every ledger."""
    resident, doctor = pair(common)
    made = common.grant(resident, common.scope(resident, doctor, uses=1))
    common.send((common.hospital, spend(made, 1)))
    ask = common.request(resident, doctor, common.platform)
    assert common.decide(ask, made, made.scope.end)["reason"] == EXPIRED
    assert common.decide(ask, made, made.scope.end - 1)["reason"] == EXHAUSTED


def test_c162_a_refused_grant_costs_no_nonce(common: World) -> None:
    (resident, doctor), other = pair(common), common.resident()
    call = grant_call(common.sign(resident, common.scope(resident, doctor)))
    assert common.attempt((common.operator, with_args(call, r=b"\5" * 32)))[0].status == "failed"
    assert (common.consent_nonce(resident), common.consent_nonce(other)) == (0, 0)
    common.send((common.operator, call))
    assert (common.consent_nonce(resident), common.consent_nonce(other)) == (1, 0)


@pytest.mark.parametrize(
    ("at", "word", "error"),
    [(96, NOBODY, "ZeroValue"), (128, NOBODY, "ZeroValue"), (180, b"\0\0\0\1", "ReservedBits"), (96, None, "ConsentExists")],
)
def test_c163_a_signed_grant_of_nothing_is_refused(common: World, at: int, word: bytes | None, error: str) -> None:
    """Signed well, by the resident: an id or a seal that is zero, a bit that means nothing yet, an id that is taken."""
    resident, doctor = pair(common)
    word = word or common.grant(resident, common.scope(resident, doctor)).consent
    made = common.sign(resident, common.scope(resident, doctor))
    message = made.message[:at] + word + made.message[at + len(word) :]
    signature = crypto.sm2_sign(resident.keys.private, message)
    said = {"consent": message[96:128], "commitment": message[128:160], "packed": int.from_bytes(message[160:192], "big")}
    call = with_args(grant_call(made), **said, r=signature[:32], s=signature[32:])
    assert common.refusal(common.operator, call) == error


def test_c164_what_was_never_granted_is_neither_spent_nor_revoked(common: World) -> None:
    resident, doctor = pair(common)
    unsent = common.sign(resident, common.scope(resident, doctor, uses=1))
    assert common.refusal(common.hospital, spend(unsent, 1)) == "ConsentNotActive"
    assert common.refusal(common.operator, common.revocation(resident, unsent.consent)) == "ConsentNotActive"
    assert common.decide(common.request(resident, doctor, common.platform), unsent)["outcome"] == NO_CONSENT
