"""C067 – C069, C107 – C109, C114 – C119, C165 – C177: ends of ranges, what is unknown, what comes twice, many at once."""

from __future__ import annotations

import secrets
from itertools import pairwise
from typing import Any

import pytest

from core import crypto
from core.crypto import sm3
from core.messages import KeyAttest, KeyBind, OrganisationKey
from gateway.ledger import actions
from gateway.ledger.port import Call
from gateway.ledger.reasons import Reason
from tests.conformance.refusals import reason_of, refused, with_args
from tests.conformance.test_alliance import leaving, newcomer, rotation
from tests.conformance.test_consent import pair
from tests.conformance.test_identity import flip, unbound
from tests.conformance.test_identity import recovery as recovering
from tests.conformance.test_port import evidence
from tests.conformance.test_records import KIND, emergency, entries, full, moved, receipts
from tests.support.world import AUDITOR, DAY, OPERATOR, REGISTRAR, Practitioner, World, await_outcome, invitation

ZERO = bytes(32)
NOTHING = b"\x0b" * 32


def test_c067_after_a_rotation_only_the_new_key_speaks_for_an_organisation(fresh: World) -> None:
    """For what it attests, issues and votes; what the old key made stays."""
    member, doctor = fresh.hospital, fresh.practitioner(fresh.hospital)
    old, new = member.sm2, crypto.sm2_generate()
    fresh.send((member, rotation(fresh, member, new.public, old.private)))
    assert fresh.ledger.read(Call("Identity", "credentialOf", {"practitioner": doctor.id}))["status"] == 1
    someone = Practitioner(secrets.token_bytes(32), crypto.sm2_generate(), member, 1)
    stale = fresh.credential(someone, fresh.now() - 60, fresh.now() + DAY)
    assert fresh.refusal(member, stale) == "BadSignature"
    assert fresh.refusal(member, actions.suspend(fresh.platform.id)) == "BadSignature"
    member.sm2 = new
    fresh.send((member, fresh.credential(someone, fresh.now() - 60, fresh.now() + DAY)))
    fresh.send((member, actions.suspend(fresh.platform.id)))


def test_c068_what_is_not_known_reads_as_empty_where_zero_means_none(common: World) -> None:
    asked = {
        ("Identity", "keyOf"): "subject", ("Identity", "recoveryOf"): "subject", ("Identity", "credentialOf"): "practitioner",
        ("Consent", "consentOf"): "consent", ("Access", "requestOf"): "id", ("Access", "emergencyOf"): "id",
        ("Access", "receiptsOf"): "organisation", ("DataIndex", "headOf"): "organisation", ("Schema", "schemaOf"): "schemaId",
        ("Workflow", "applicationOf"): "id", ("Alliance", "organisation"): "id", ("Alliance", "keyOf"): "id",
    }  # fmt: skip
    answers = common.ledger.read_many([Call(contract, method, {name: NOTHING}) for (contract, method), name in asked.items()])
    for about, answer in zip(asked, answers, strict=True):
        assert set(answer.values()) <= {0, ZERO}, about
    for count in ("countOf", "nonceOf"):
        contract, name = ("Evidence", "organisation") if count == "countOf" else ("Consent", "subject")
        assert common.ledger.read(Call(contract, count, {name: NOTHING})) == 0


def test_c069_what_is_not_known_is_refused_where_zero_would_be_believed(common: World) -> None:
    organisation = {"organisation": common.hospital.id}
    for call, error in (
        (Call("Access", "receiptBatchOf", {**organisation, "batch": 10**6}), "UnknownBatch"),
        (Call("DataIndex", "batchOf", {"organisation": NOTHING, "batch": 0}), "UnknownBatch"),
        (Call("Evidence", "evidenceOf", {**organisation, "number": 10**6}), "UnknownEvidence"),
        (Call("Alliance", "proposalOf", {"proposal": 10**6}), "UnknownProposal"),
        (Call("Registry", "addressOf", {"name": NOTHING}), "UnknownName"),
    ):
        assert common.refusal(common.operator, call) == error


@pytest.mark.parametrize("changes", [{"count": 0}, {"headHash": ZERO}, {"root": ZERO}])
def test_c107_receipts_of_nothing_are_refused(common: World, changes: dict[str, Any]) -> None:
    assert common.refusal(common.platform, with_args(receipts(common), **changes)) == "ZeroValue"


def test_c108_every_member_numbers_its_own_receipts(common: World) -> None:
    """Another's number is no use, and another's record moves nothing of ours."""
    ours = Call("Access", "receiptsOf", {"organisation": common.hospital.id})
    before, theirs = common.ledger.read(ours), receipts(common, count=1000)
    common.send((common.platform, theirs))
    assert common.ledger.read(ours) == before
    following = common.ledger.read(Call("Access", "receiptsOf", {"organisation": common.platform.id}))["nextNumber"]
    assert following == theirs.args["firstNumber"] + 1000
    assert common.refusal(common.hospital, receipts(common)) == "WrongNumber"


def test_c109_nobody_reviews_an_emergency_of_its_own(common: World) -> None:
    doctors = [common.practitioner(common.operator) for _ in range(2)]
    opened = emergency(common, doctors[0], doctors[1], organisation=common.operator)
    common.send((common.operator, opened))
    review = Call("Access", "review", {"id": opened.args["id"], "outcome": 1})
    assert common.refusal(common.operator, review) == "OwnEmergency"


@pytest.mark.parametrize("word", ["id", "commitment", "minutesOpen", "first", "second"])
def test_c114_both_signatures_cover_every_word_of_an_emergency(common: World, word: str) -> None:
    first, second, third = (common.practitioner(common.hospital) for _ in range(3))
    call = emergency(common, first, second)
    other = {"minutesOpen": 31, "first": third.id, "second": third.id}.get(word, secrets.token_bytes(32))
    assert common.refusal(common.hospital, with_args(call, **{word: other})) == "BadSignature"
    assert common.refusal(common.hospital, with_args(call, secondSignature=flip(call.args["secondSignature"]))) == "BadSignature"


def test_c115_break_glass_needs_credentials_that_hold_now(common: World) -> None:
    now, doctor = common.now(), common.practitioner(common.hospital)
    later = Practitioner(secrets.token_bytes(32), crypto.sm2_generate(), common.hospital, 1)
    common.send((common.hospital, common.credential(later, now + DAY, now + 2 * DAY)))
    unknown = Practitioner(secrets.token_bytes(32), crypto.sm2_generate(), common.hospital, 1)
    for other in (later, unknown):
        assert common.refusal(common.hospital, emergency(common, doctor, other)) == "CredentialInvalid"


def test_c116_a_review_says_one_of_two_things(common: World) -> None:
    opened = emergency(common, common.practitioner(common.hospital), common.practitioner(common.hospital), minutes=1)
    outcome = common.send((common.hospital, opened))[0]
    assert outcome.events[0].args["endsAt"] + 3 * DAY - 60 == outcome.events[0].args["reviewBy"]
    review = Call("Access", "review", {"id": opened.args["id"], "outcome": 2})
    for value in (0, 3, 255):
        assert common.refusal(common.operator, with_args(review, outcome=value)) == "UnknownAnswer"
    common.send((common.operator, review))
    assert common.ledger.read(Call("Access", "emergencyOf", {"id": opened.args["id"]}))["outcome"] == 2


def test_c117_a_large_batch_arrives_whole(common: World) -> None:
    """Five hundred entries of 256 bytes in one write, and in one event."""
    call = full(common, 500)
    outcome = common.send((common.hospital, call))[0]
    assert outcome.events[1].args["entries"] == call.args["entries"]
    assert outcome.events[1].args["count"] == 500


def test_c118_entries_of_another_member_are_not_anchored(common: World) -> None:
    call = full(common, 2)
    theirs = entries(common.platform.id, call.args["firstSequence"], 2)
    assert refused(common, common.hospital, with_args(call, entries=theirs)) == "WrongEntry(0)"
    assert common.refusal(common.hospital, with_args(call, entries=b"")) == "WrongLength"
    assert common.refusal(common.hospital, with_args(call, entries=call.args["entries"] * 2)) == "WrongLength"


def test_c119_members_sequences_do_not_touch(common: World) -> None:
    first = common.batch(common.platform, secrets.token_bytes(32), 4)
    common.anchor(common.hospital, secrets.token_bytes(32), 9)
    common.send((common.platform, first))
    assert common.refusal(common.hospital, first) in ("WrongSequence", "WrongPreviousRoot")
    head = common.ledger.read(Call("DataIndex", "headOf", {"organisation": common.platform.id}))
    assert (head["nextSequence"], head["lastRoot"]) == (first.args["firstSequence"] + 4, first.args["root"])


def test_c165_a_document_type_has_one_to_256_elements_and_one_successor(common: World) -> None:
    one, two = secrets.token_bytes(32), secrets.token_bytes(32)
    smallest = Call("Schema", "register", {"schemaId": one, "elements": 1, "supersedes": ZERO})
    common.send((common.hospital, smallest))
    assert common.ledger.read(Call("Schema", "schemaOf", {"schemaId": one})) == {
        "elements": 1, "supersededBy": ZERO, "by": common.hospital.id,
    }  # fmt: skip
    common.send((common.hospital, with_args(smallest, schemaId=two, elements=256, supersedes=one)))
    assert common.refusal(common.hospital, with_args(smallest, supersedes=two)) == "SchemaExists"
    itself = secrets.token_bytes(32)
    assert common.refusal(common.hospital, with_args(smallest, schemaId=itself, supersedes=NOTHING)) == "UnknownSchema"


def test_c166_the_same_digest_may_be_recorded_again_under_a_number_of_its_own(common: World) -> None:
    call = Call("Evidence", "record", {"kind": KIND, "digest": secrets.token_bytes(32)})
    first, second = common.send((common.platform, call), (common.platform, call))
    numbers = [o.events[0].args["number"] for o in (first, second)]
    assert numbers[1] == numbers[0] + 1
    assert first.id != second.id
    for name in ("kind", "digest"):
        assert common.refusal(common.platform, with_args(call, **{name: ZERO})) == "ZeroValue"


def test_c167_an_application_is_withdrawn_by_its_applicant_until_it_is_over(common: World) -> None:
    ids = [secrets.token_bytes(32) for _ in range(2)]
    submit = Call("Workflow", "submit", {"id": ids[0], "kind": KIND, "packageDigest": KIND})
    common.send(*((common.platform, with_args(submit, id=id)) for id in ids))
    common.send((common.hospital, moved(common, ids[0], 2)), (common.hospital, moved(common, ids[1], 3)))
    common.send((common.platform, moved(common, ids[0], 6)))
    for id in ids:
        for step in (1, 2, 3, 4, 5, 6):
            assert common.refusal(common.platform, moved(common, id, step)) == "IllegalMove"
    assert common.refusal(common.platform, moved(common, NOTHING, 2)) == "IllegalMove"
    for name in ("id", "kind", "packageDigest"):
        assert common.refusal(common.platform, with_args(submit, **{name: ZERO})) == "ZeroValue"


def test_c168_of_two_members_both_must_agree_and_one_alone_decides_for_itself(fresh: World) -> None:
    fresh.send((fresh.hospital, leaving(fresh, fresh.hospital)))
    role = actions.set_roles(fresh.platform.id, fresh.platform.roles | AUDITOR)
    number = fresh.send((fresh.operator, role))[0].events[0].args["proposal"]
    stored = Call("Alliance", "organisation", {"id": fresh.platform.id})
    assert fresh.ledger.read(stored)["roles"] == fresh.platform.roles
    fresh.send((fresh.platform, actions.vote(number)))
    assert fresh.ledger.read(stored)["roles"] == fresh.platform.roles | AUDITOR
    fresh.send((fresh.platform, leaving(fresh, fresh.platform)))
    names = [e.name for e in fresh.send((fresh.operator, actions.set_roles(fresh.operator.id, OPERATOR | REGISTRAR)))[0].events]
    assert names == ["Proposed", "Voted", "RolesSet", "Executed"]


def test_c169_a_vote_for_what_cannot_be_done_is_refused_whole(common: World) -> None:
    """It stays open: nothing half done, and the vote can be given when it can be done."""
    other = newcomer(common)
    good = invitation(other)
    member, nobody = common.hospital, NOTHING
    calls = [
        (actions.invite(member.id, KIND, 1, other.sm2.public, other.account), "WrongStatus"),
        (actions.invite(other.id, KIND, 1, other.sm2.public, member.account), "AccountTaken"),
        (actions.invite(other.id, KIND, 32, other.sm2.public, other.account), "UnknownRoles"),
        (actions.invite(other.id, KIND, 1, b"\1" * 64, other.account), "KeyOffCurve"),
        (actions.invite(ZERO, KIND, 1, other.sm2.public, other.account), "ZeroValue"),
        (actions.suspend(nobody), "WrongStatus"),
        (actions.restore(member.id), "WrongStatus"),
        (actions.expel(nobody), "WrongStatus"),
        (actions.set_roles(nobody, 1), "WrongStatus"),
        (actions.rotate_key(nobody, other.sm2.public), "WrongStatus"),
    ]
    proposed = common.send(*((common.operator, call) for call, _ in (*calls, (good, ""))))
    numbers = [o.events[0].args["proposal"] for o in proposed]
    for number, (_, error) in zip(numbers[:-1], calls, strict=True):
        assert common.refusal(common.hospital, actions.vote(number)) == error
        assert common.ledger.read(Call("Alliance", "proposalOf", {"proposal": number}))["executed"] is False


def test_c170_a_recovery_is_for_those_who_have_a_key(common: World) -> None:
    nobody = unbound(common)
    assert common.refusal(common.operator, recovering(common, nobody, crypto.sm2_generate())) == "NoKey"
    for method, args in (("recoverKey", {}), ("vetoRecovery", {"signature": bytes(64)})):
        assert common.refusal(common.operator, Call("Identity", method, {"subject": nobody.subject, **args})) == "NoRecovery"


def test_c171_events_read_in_pages_are_those_read_at_once(common: World) -> None:
    common.send(*((common.operator, evidence(f"c171 {n}")) for n in range(3)))
    head = common.ledger.head().height
    whole = [event for block in common.ledger.events(0, head) for event in block]
    cuts = [0, 1, 2, head // 3, head // 2, head, head + 1]
    paged = [
        event
        for first, after in pairwise(cuts)
        if first < after
        for block in common.ledger.events(first, after - 1)
        for event in block
    ]
    assert paged == whole


def test_c172_many_questions_in_one_go_are_answered_each(common: World) -> None:
    asked = [Call("Alliance", "statusOf", {"id": o.id if n % 7 else NOTHING}) for n, o in enumerate(common.organisations * 200)]
    assert common.ledger.read_many(asked) == [1 if n % 7 else 0 for n in range(600)]
    assert common.ledger.read_many([]) == []


def test_c173_many_states_and_many_decisions_keep_their_order(common: World) -> None:
    resident, doctor = pair(common)
    made = common.grant(resident, common.scope(resident, doctor))
    common_ids = {"requester": doctor.id, "requesterOrganisation": common.hospital.id, "custodian": common.platform.id}
    queries = [{"consent": made.consent if n % 3 else NOTHING, **common_ids} for n in range(120)]
    states = common.ledger.read(Call("Consent", "statesOf", {"queries": queries}))
    assert [s["consent"]["status"] for s in states] == [1 if n % 3 else 0 for n in range(120)]
    assert common.ledger.read(Call("Consent", "statesOf", {"queries": []})) == []
    assert common.ledger.read(Call("Consent", "decideMany", {"asks": [], "time": common.now()})) == []


def test_c174_outcomes_of_many_come_in_their_order(common: World) -> None:
    done = common.send(*((common.operator, evidence(f"c174 {n}")) for n in range(10)))
    asked = ["0x" + "44" * 32, *(o.id for o in reversed(done)), done[0].id]
    found = common.ledger.outcome(asked)
    assert [o.id for o in found] == asked
    assert [o.status for o in found] == ["unknown", *["committed"] * 11]
    assert found[-1] == found[-2] == common.ledger.outcome(done[0].id)
    assert [o.events[0].args["digest"] for o in found[1:-1]] == [sm3(f"c174 {n}".encode()) for n in reversed(range(10))]


def test_c175_a_call_prepared_twice_is_two_writes(common: World) -> None:
    """What must happen once needs a word of its own in the call; the outbox keeps the bytes, not the call."""
    count = Call("Evidence", "countOf", {"organisation": common.operator.id})
    before, call = common.ledger.read(count), evidence("c175")
    sent = []
    for _ in range(2):
        prepared = common.ledger.prepare(call)
        common.ledger.submit(prepared)
        sent.append(await_outcome(common.ledger, prepared.id))
    assert [o.status for o in sent] == ["committed", "committed"]
    assert common.ledger.read(count) == before + 2
    assert common.ledger.submit([]) == []


def test_c176_what_was_signed_for_another_alliance_says_nothing_here(common: World) -> None:
    """Every signed message names the ledger and the contract it is for."""
    resident, member, elsewhere = unbound(common), common.hospital, secrets.token_bytes(32)
    binding = common.binding(resident)
    owned = crypto.sm2_sign(resident.keys.private, KeyBind(elsewhere, resident.subject, resident.keys.public).pack())
    attested = crypto.sm2_sign(common.operator.sm2.private, KeyAttest(elsewhere, resident.subject, resident.keys.public).pack())
    for changes in ({"possession": owned}, {"attestation": attested}):
        assert common.refusal(common.operator, with_args(binding, **changes)) == "BadSignature"
    new, nonce = crypto.sm2_generate().public, common.ledger.read(Call("Alliance", "keyOf", {"id": member.id}))["nonce"]
    signature = crypto.sm2_sign(member.sm2.private, OrganisationKey(elsewhere, member.id, new, nonce).pack())
    turned = {"x": new[:32], "y": new[32:], "r": signature[:32], "s": signature[32:]}
    assert common.refusal(member, Call("Alliance", "rotateKey", turned)) == "BadSignature"


def test_c177_heights_and_hashes_that_cannot_be_are_none_or_refused(common: World) -> None:
    head = common.ledger.head()
    assert common.ledger.block([10**12, head.height]) == [None, head]
    assert reason_of(lambda: list(common.ledger.events(head.height + 10**6, head.height + 10**6))) is Reason.NOT_FOUND
    assert reason_of(lambda: common.ledger.read(Call("Alliance", "name"), at=head.height + 10**6)) is Reason.NOT_FOUND
