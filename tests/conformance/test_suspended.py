"""C122 – C137: what a suspended member can still do, which is little; and that others do not depend on it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import pytest

from core import crypto
from core.artefact import ConsentArtefact
from core.words import kind_word
from gateway.ledger import actions
from gateway.ledger.port import Call
from tests.conformance.test_alliance import ACTIVE, accounted, decide, leaving, newcomer, status
from tests.conformance.test_alliance import rotation as key_rotation
from tests.conformance.test_consent import PERMIT, spend
from tests.conformance.test_identity import person
from tests.conformance.test_records import emergency, entries, moved
from tests.support.world import (
    AUDITOR,
    CUSTODIAN,
    DAY,
    READER,
    REGISTRAR,
    Organisation,
    Practitioner,
    Resident,
    World,
    grant_call,
    invitation,
)

CUSTODIAN_INACTIVE, ORGANISATION_INACTIVE = 3, 4
KIND = kind_word("conformance")


@dataclass
class Suspended:
    """A member that had every role, and what it left when it was suspended."""

    member: Organisation
    doctors: tuple[Practitioner, Practitioner]
    resident: Resident
    consent: ConsentArtefact
    application: bytes
    asked: bytes
    proposal: int


@pytest.fixture(scope="session")
def clinic(common: World) -> Suspended:
    """Joined, at work, then suspended by the three others. Its own proposal stays open."""
    member = newcomer(common)
    member.roles = CUSTODIAN | READER | REGISTRAR | AUDITOR
    decide(common, invitation(member), common.operator, common.hospital)
    common.send((member, Call("Alliance", "join", {"organisation": member.id})))
    doctors = common.practitioner(member), common.practitioner(member)
    resident = common.resident()
    consent = common.grant(resident, common.scope(resident, doctors[0], uses=2))
    application, asked = secrets.token_bytes(32), secrets.token_bytes(32)
    submitted = Call("Workflow", "submit", {"id": application, "kind": KIND, "packageDigest": KIND})
    question = Call("Access", "request", {"id": asked, "commitment": KIND})
    common.send((member, submitted), (member, question), (member, common.batch(member, secrets.token_bytes(32), 3)))
    proposal = common.send((member, actions.set_roles(member.id, READER)))[0].events[0].args["proposal"]
    decide(common, actions.suspend(member.id), common.operator, common.hospital, common.platform)
    return Suspended(member, doctors, resident, consent, application, asked, proposal)


def test_c122_a_suspended_custodian_anchors_nothing(common: World, clinic: Suspended) -> None:
    batch = common.batch(clinic.member, secrets.token_bytes(32), 2)
    shown = entries(clinic.member.id, batch.args["firstSequence"], 2)
    full = Call("DataIndex", "anchorEntries", {**batch.args, "entries": shown})
    for call in (batch, full):
        assert common.refusal(clinic.member, call) == "NotActive"


def test_c123_a_suspended_member_records_registers_and_submits_nothing(common: World, clinic: Suspended) -> None:
    for call in (
        Call("Evidence", "record", {"kind": KIND, "digest": KIND}),
        Call("Schema", "register", {"schemaId": secrets.token_bytes(32), "elements": 1, "supersedes": bytes(32)}),
        Call("Workflow", "submit", {"id": secrets.token_bytes(32), "kind": KIND, "packageDigest": KIND}),
    ):
        assert common.refusal(clinic.member, call) == "NotActive"


def test_c124_a_suspended_member_neither_asks_nor_answers(common: World, clinic: Suspended) -> None:
    question = Call("Access", "request", {"id": secrets.token_bytes(32), "commitment": KIND})
    answer = Call("Access", "answer", {"id": clinic.asked, "commitment": KIND, "value": 1})
    for call in (question, answer):
        assert common.refusal(clinic.member, call) == "NotActive"


def test_c125_the_receipts_of_a_suspended_member_still_arrive(common: World, clinic: Suspended) -> None:
    """What it served before must not stay hidden because it was suspended."""
    args = {"root": KIND, "firstNumber": 0, "count": 2, "headHash": KIND}
    outcome = common.send((clinic.member, Call("Access", "record", args)))[0]
    assert [(e.name, e.args["organisation"]) for e in outcome.events] == [("ReceiptsRecorded", clinic.member.id)]


def test_c126_a_suspended_member_issues_and_revokes_no_credentials(common: World, clinic: Suspended) -> None:
    someone = Practitioner(secrets.token_bytes(32), crypto.sm2_generate(), clinic.member, 1)
    issue = common.credential(someone, common.now() - 60, common.now() + DAY)
    for call in (issue, common.dismissal(clinic.doctors[0])):
        assert common.refusal(clinic.member, call) == "NotActive"


def test_c127_a_suspended_registrar_attests_nothing(common: World, clinic: Suspended) -> None:
    resident = Resident(common.new_subject(), crypto.sm2_generate())
    attested = common.binding(resident, registrar=clinic.member)
    assert common.refusal(common.operator, attested) == "NotRegistrar"
    assert common.refusal(clinic.member, common.binding(resident)) == "NotActive"


def test_c128_a_suspended_member_opens_no_emergency(common: World, clinic: Suspended) -> None:
    assert common.refusal(clinic.member, emergency(common, *clinic.doctors, organisation=clinic.member)) == "NotActive"


def test_c129_a_suspended_auditor_reviews_nothing(common: World, clinic: Suspended) -> None:
    opened = emergency(common, common.practitioner(common.hospital), common.practitioner(common.hospital))
    common.send((common.hospital, opened))
    review = Call("Access", "review", {"id": opened.args["id"], "outcome": 1})
    assert common.refusal(clinic.member, review) == "NotActive"
    common.send((common.operator, review))


def test_c130_a_suspended_member_spends_no_use(common: World, clinic: Suspended) -> None:
    assert common.refusal(clinic.member, spend(clinic.consent, 1)) == "NotActive"
    common.send((common.hospital, spend(clinic.consent, 1)))


def test_c131_who_works_for_a_suspended_member_reads_nothing(common: World, clinic: Suspended) -> None:
    request = common.request(clinic.resident, clinic.doctors[0], common.platform)
    assert common.decide(request, clinic.consent)["reason"] == ORGANISATION_INACTIVE
    state = common.ledger.read(Call("Identity", "credentialState", {"practitioner": clinic.doctors[0].id}))
    assert state["status"] == 1


def test_c132_records_of_a_suspended_custodian_are_read_by_nobody(common: World, clinic: Suspended) -> None:
    doctor = common.practitioner(common.hospital)
    made = common.grant(clinic.resident, common.scope(clinic.resident, doctor))
    assert common.decide(common.request(clinic.resident, doctor, clinic.member), made)["reason"] == CUSTODIAN_INACTIVE
    assert common.decide(common.request(clinic.resident, doctor, common.platform), made)["outcome"] == PERMIT


def test_c133_a_suspended_member_neither_proposes_nor_votes(common: World, clinic: Suspended) -> None:
    number = common.send((common.operator, actions.set_roles(common.hospital.id, common.hospital.roles)))[0]
    vote = actions.vote(number.events[0].args["proposal"])
    for call in (actions.restore(clinic.member.id), vote):
        assert common.refusal(clinic.member, call) == "WrongStatus"


def test_c134_a_vote_of_a_member_suspended_since_counts_no_more(common: World, clinic: Suspended) -> None:
    """Its own vote and one more of three active members would be two thirds; without its own it is a third."""
    proposal = Call("Alliance", "proposalOf", {"proposal": clinic.proposal})
    common.send((common.hospital, actions.vote(clinic.proposal)))
    assert common.ledger.read(proposal)["executed"] is False
    common.send((common.platform, actions.vote(clinic.proposal)))
    assert common.ledger.read(proposal)["executed"] is True
    assert common.ledger.read(Call("Alliance", "organisation", {"id": clinic.member.id}))["roles"] == READER


def test_c135_what_a_resident_signed_passes_through_a_suspended_member(common: World, clinic: Suspended) -> None:
    """A relay adds nothing to a grant, so it can withhold nothing either: whoever has the words may bring them."""
    resident = common.resident()
    made = common.sign(resident, common.scope(resident, common.hospital))
    common.send((clinic.member, grant_call(made)))
    common.send((clinic.member, common.revocation(resident, made.consent)))


def test_c136_a_suspended_member_changes_neither_its_key_nor_its_accounts(common: World, clinic: Suspended) -> None:
    member = clinic.member
    rotated = key_rotation(common, member, crypto.sm2_generate().public, member.sm2.private)
    for call in (rotated, accounted(common, member, newcomer(common).account, True), leaving(common, member)):
        assert common.refusal(member, call) == "WrongStatus"


def test_c137_an_application_of_a_suspended_member_rests(common: World, clinic: Suspended) -> None:
    """It cannot be withdrawn meanwhile; those who judge it go on."""
    assert common.refusal(clinic.member, moved(common, clinic.application, 6)) == "NotActive"
    common.send((common.hospital, moved(common, clinic.application, 2)))
    found = common.ledger.read(Call("Workflow", "applicationOf", {"id": clinic.application}))
    assert (found["applicant"], found["step"]) == (clinic.member.id, 2)


def test_c138_a_suspended_member_is_counted_out(common: World, clinic: Suspended) -> None:
    assert status(common, clinic.member) == 2
    active = [o for o in common.organisations if status(common, o) == ACTIVE]
    assert common.ledger.read(Call("Alliance", "activeMembers")) == len(active) == 3
    assert common.refusal(clinic.member, common.credential(person(common), 0, common.now() + DAY)) == "NotActive"
    again = invitation(clinic.member)
    number = common.send((common.operator, again))[0].events[0].args["proposal"]
    assert common.refusal(common.hospital, actions.vote(number)) == "WrongStatus"
