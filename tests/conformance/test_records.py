"""C090 – C109: index, receipts, requests, break-glass, schemas, evidence, applications."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from eth_utils.crypto import keccak

from core import crypto
from core.words import kind_word
from gateway.ledger.port import Call
from tests.conformance.refusals import name_of, refused, with_args
from tests.support.world import DAY, Organisation, Practitioner, World

ENTRY = kind_word("healthtrust/index-entry/v1")
KIND = kind_word("conformance")


def entries(organisation: bytes, first: int, count: int) -> bytes:
    words = (
        ENTRY + organisation + secrets.token_bytes(160) + n.to_bytes(8, "big") + bytes(24) for n in range(first, first + count)
    )
    return b"".join(words)


def head(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.ledger.read(Call("DataIndex", "headOf", {"organisation": world.hospital.id}))
    return found


def full(world: World, count: int) -> Call:
    batch = world.batch(world.hospital, secrets.token_bytes(32), count)
    return Call(
        "DataIndex", "anchorEntries", {**batch.args, "entries": entries(world.hospital.id, batch.args["firstSequence"], count)}
    )


def test_c090_batches_follow_each_other_without_a_gap(common: World) -> None:
    before = head(common)
    call = common.batch(common.hospital, secrets.token_bytes(32), 7)
    outcome = common.send((common.hospital, call))[0]
    (event,) = outcome.events
    assert (event.name, event.args) == (
        "BatchAnchored",
        {**call.args, "organisation": common.hospital.id, "batch": before["batches"]},
    )
    after = head(common)
    assert after == {"batches": before["batches"] + 1, "nextSequence": before["nextSequence"] + 7, "lastRoot": call.args["root"]}
    found = common.ledger.read(Call("DataIndex", "batchOf", {"organisation": common.hospital.id, "batch": before["batches"]}))
    block = common.ledger.block(outcome.height or 0)
    assert block is not None
    assert found == {"root": call.args["root"], "firstSequence": before["nextSequence"], "count": 7, "anchoredAt": block.time}


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("gap", "WrongSequence"), ("again", "WrongSequence"), ("previous", "WrongPreviousRoot"), ("root", "ZeroValue"),
        ("count", "ZeroValue"),
    ],
)  # fmt: skip
def test_c091_a_batch_that_does_not_follow_is_refused(common: World, name: str, error: str) -> None:
    common.anchor(common.hospital, secrets.token_bytes(32), 3)
    call = common.batch(common.hospital, secrets.token_bytes(32), 3)
    first = call.args["firstSequence"]
    changes: dict[str, Any] = {
        "gap": {"firstSequence": first + 1},
        "again": {"firstSequence": first - 3},
        "previous": {"previousRoot": b"\3" * 32},
        "root": {"root": bytes(32)},
        "count": {"count": 0},
    }[name]
    assert name_of(refused(common, common.hospital, with_args(call, **changes))) == error


def test_c092_only_custodians_anchor(common: World) -> None:
    call = common.batch(common.operator, secrets.token_bytes(32), 1)
    assert name_of(refused(common, common.operator, call)) == "RoleMissing"


def test_c093_full_mode_carries_every_entry(common: World) -> None:
    call = full(common, 5)
    batch = head(common)["batches"]
    outcome = common.send((common.hospital, call))[0]
    assert [e.name for e in outcome.events] == ["BatchAnchored", "EntriesAnchored"]
    assert outcome.events[1].args["entries"] == call.args["entries"]
    digest = common.ledger.read(Call("DataIndex", "entriesDigestOf", {"organisation": common.hospital.id, "batch": batch}))
    assert digest == keccak(call.args["entries"])


@pytest.mark.parametrize(
    ("at", "error"), [(None, "WrongLength"), (0, "WrongEntry(1)"), (40, "WrongEntry(1)"), (231, "WrongEntry(1)")]
)
def test_c094_entries_must_be_the_batchs_own(common: World, at: int | None, error: str) -> None:
    call = full(common, 3)
    spoiled = bytearray(call.args["entries"])
    if at is None:
        del spoiled[-1]
    else:
        spoiled[256 + at] ^= 1
    assert refused(common, common.hospital, with_args(call, entries=bytes(spoiled))).startswith(error)


def test_c095_an_unknown_batch_is_refused_not_empty(common: World) -> None:
    ask = Call("DataIndex", "batchOf", {"organisation": common.hospital.id, "batch": 10**6})
    assert common.refusal(common.hospital, ask) == "UnknownBatch"


def receipts(world: World, count: int = 4) -> Call:
    following = world.ledger.read(Call("Access", "receiptsOf", {"organisation": world.platform.id}))["nextNumber"]
    args = {"root": secrets.token_bytes(32), "firstNumber": following, "count": count, "headHash": secrets.token_bytes(32)}
    return Call("Access", "record", args)


def test_c096_receipts_are_numbered_without_a_gap(common: World) -> None:
    call = receipts(common)
    outcome = common.send((common.platform, call))[0]
    batch = outcome.events[0].args["batch"]
    assert outcome.events[0].args == {**call.args, "organisation": common.platform.id, "batch": batch}
    found = common.ledger.read(Call("Access", "receiptsOf", {"organisation": common.platform.id}))
    assert found == {"nextNumber": call.args["firstNumber"] + 4, "headHash": call.args["headHash"]}
    stored = common.ledger.read(Call("Access", "receiptBatchOf", {"organisation": common.platform.id, "batch": batch}))
    assert (stored["root"], stored["firstNumber"], stored["count"]) == (call.args["root"], call.args["firstNumber"], 4)
    assert name_of(refused(common, common.platform, call)) == "WrongNumber"
    assert name_of(refused(common, common.platform, with_args(receipts(common), root=bytes(32)))) == "ZeroValue"


def test_c097_a_request_is_answered_once(common: World) -> None:
    id, commitment = secrets.token_bytes(32), secrets.token_bytes(32)
    ask = Call("Access", "request", {"id": id, "commitment": commitment})
    answer = Call("Access", "answer", {"id": id, "commitment": commitment, "value": 1})
    assert name_of(refused(common, common.operator, answer)) == "UnknownRequest"
    common.send((common.hospital, ask))
    assert name_of(refused(common, common.platform, ask)) == "RequestExists"
    for value in (0, 5):
        assert refused(common, common.operator, with_args(answer, value=value)) == f"UnknownAnswer({value})"
    outcome = common.send((common.operator, answer))[0]
    assert (outcome.events[0].name, outcome.events[0].args["answer"]) == ("AccessAnswered", 1)
    assert name_of(refused(common, common.operator, answer)) == "AlreadyAnswered"
    found = common.ledger.read(Call("Access", "requestOf", {"id": id}))
    assert found == {"organisation": common.hospital.id, "commitment": commitment, "status": 2, "value": 1}


def emergency(
    world: World, first: Practitioner, second: Practitioner, minutes: int = 30, organisation: Organisation | None = None
) -> Call:
    id, commitment = secrets.token_bytes(32), secrets.token_bytes(32)
    head_ = kind_word("healthtrust/emergency-open/v1") + world.domain("Access") + (organisation or world.hospital).id
    message = head_ + id + commitment + minutes.to_bytes(32, "big")
    args: dict[str, Any] = {"id": id, "commitment": commitment, "minutesOpen": minutes, "first": first.id, "second": second.id}
    args["firstSignature"] = crypto.sm2_sign(first.keys.private, message)
    args["secondSignature"] = crypto.sm2_sign(second.keys.private, message)
    return Call("Access", "openEmergency", args)


def test_c098_break_glass_takes_two_persons_and_is_reviewed_by_another(common: World) -> None:
    first, second = common.practitioner(common.hospital), common.practitioner(common.hospital)
    call = emergency(common, first, second)
    outcome = common.send((common.hospital, call))[0]
    block = common.ledger.block(outcome.height or 0)
    assert block is not None
    args = outcome.events[0].args
    assert (args["endsAt"], args["reviewBy"]) == (block.time + 1800, block.time + 3 * DAY)
    assert name_of(refused(common, common.hospital, call)) == "EmergencyExists"
    review = Call("Access", "review", {"id": call.args["id"], "outcome": 1})
    assert name_of(refused(common, common.hospital, review)) == "RoleMissing"
    done = common.send((common.operator, review))[0]
    assert done.events[0].args == {"id": call.args["id"], "reviewer": common.operator.id, "outcome": 1, "late": False}
    assert name_of(refused(common, common.operator, review)) == "AlreadyReviewed"
    assert name_of(refused(common, common.operator, with_args(review, id=b"\1" * 32))) == "UnknownEmergency"


def test_c099_break_glass_is_refused_to_one_person_strangers_and_forgers(common: World) -> None:
    first, second = common.practitioner(common.hospital), common.practitioner(common.hospital)
    foreign = common.practitioner(common.platform)
    call = emergency(common, first, second)
    assert name_of(refused(common, common.hospital, emergency(common, first, first))) == "SamePerson"
    assert name_of(refused(common, common.hospital, emergency(common, first, foreign))) == "CredentialInvalid"
    assert name_of(refused(common, common.platform, call)) == "CredentialInvalid"
    swapped = with_args(call, firstSignature=call.args["secondSignature"])
    assert name_of(refused(common, common.hospital, swapped)) == "BadSignature"
    assert refused(common, common.hospital, with_args(call, secondSignature=b"")) == "BadSignatureLength(0)"
    for minutes in (0, 1441):
        assert name_of(refused(common, common.hospital, emergency(common, first, second, minutes))) == "BadMinutes"
    day = emergency(common, first, second, 1440)
    common.send((common.hospital, day))
    opened = common.ledger.read(Call("Access", "emergencyOf", {"id": day.args["id"]}))
    assert opened["reviewBy"] - opened["endsAt"] == 48 * 3600
    common.send((common.hospital, common.dismissal(second)))
    assert name_of(refused(common, common.hospital, call)) == "CredentialInvalid"


def test_c100_a_schema_is_registered_once_and_superseded_by_its_owner(common: World) -> None:
    one, two, three = (secrets.token_bytes(32) for _ in range(3))
    register = Call("Schema", "register", {"schemaId": one, "elements": 256, "supersedes": bytes(32)})
    common.send((common.hospital, register))
    assert name_of(refused(common, common.hospital, register)) == "SchemaExists"
    following = with_args(register, schemaId=two, supersedes=one)
    assert name_of(refused(common, common.platform, following)) == "NotTheOwner"
    common.send((common.hospital, following))
    assert common.ledger.read(Call("Schema", "schemaOf", {"schemaId": one}))["supersededBy"] == two
    assert name_of(refused(common, common.hospital, with_args(following, schemaId=three))) == "AlreadySuperseded"
    assert name_of(refused(common, common.hospital, with_args(following, schemaId=three, supersedes=three))) == "UnknownSchema"


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"elements": 0}, "BadElements(0)"), ({"elements": 257}, "BadElements(257)"), ({"schemaId": bytes(32)}, "ZeroValue")],
)
def test_c101_a_senseless_schema_is_refused(common: World, changes: dict[str, Any], error: str) -> None:
    register = Call("Schema", "register", {"schemaId": secrets.token_bytes(32), "elements": 1, "supersedes": bytes(32)})
    assert refused(common, common.hospital, with_args(register, **changes)) == error


def test_c102_evidence_is_numbered_by_organisation(common: World) -> None:
    count = Call("Evidence", "countOf", {"organisation": common.platform.id})
    number, digest = common.ledger.read(count), secrets.token_bytes(32)
    outcome = common.send((common.platform, Call("Evidence", "record", {"kind": KIND, "digest": digest})))[0]
    expected = {"organisation": common.platform.id, "number": number, "kind": KIND, "digest": digest}
    assert outcome.events[0].args == expected
    found = common.ledger.read(Call("Evidence", "evidenceOf", {"organisation": common.platform.id, "number": number}))
    assert (found["kind"], found["digest"]) == (KIND, digest)
    assert common.ledger.read(count) == number + 1


def moved(world: World, id: bytes, step: int) -> Call:
    return Call("Workflow", "move", {"id": id, "toState": step, "digest": b"\4" * 32})


def test_c103_applications_follow_the_table(common: World) -> None:
    id = secrets.token_bytes(32)
    submit = Call("Workflow", "submit", {"id": id, "kind": KIND, "packageDigest": b"\1" * 32})
    common.send((common.operator, submit))
    assert name_of(refused(common, common.operator, submit)) == "ApplicationExists"
    assert name_of(refused(common, common.hospital, moved(common, id, 5))) == "IllegalMove"
    assert name_of(refused(common, common.operator, moved(common, id, 2))) == "RoleMissing"
    assert name_of(refused(common, common.hospital, moved(common, id, 6))) == "NotTheApplicant"
    for step in (2, 4, 5):
        common.send((common.hospital, moved(common, id, step)))
    found = common.ledger.read(Call("Workflow", "applicationOf", {"id": id}))
    assert found == {"applicant": common.operator.id, "kind": KIND, "step": 5, "digest": b"\4" * 32}
    assert name_of(refused(common, common.operator, moved(common, id, 6))) == "IllegalMove"


def test_c104_the_whole_table_of_moves_is_the_same(common: World) -> None:
    pairs = [(a, b) for a in range(7) for b in range(7)]
    answers = common.ledger.read_many([Call("Workflow", "allowed", {"from": a, "to": b}) for a, b in pairs])
    assert {p for p, allowed in zip(pairs, answers, strict=True) if allowed} == {
        (1, 2),
        (1, 3),
        (1, 6),
        (2, 4),
        (2, 6),
        (4, 3),
        (4, 5),
    }


def test_c105_a_step_that_does_not_exist_is_refused(common: World) -> None:
    id = secrets.token_bytes(32)
    common.send((common.operator, Call("Workflow", "submit", {"id": id, "kind": KIND, "packageDigest": b"\1" * 32})))
    assert refused(common, common.hospital, moved(common, id, 7)) == "reverted without a reason"


def test_c106_strangers_write_nothing_anywhere(common: World) -> None:
    from tests.conformance.test_alliance import newcomer

    stranger, word = newcomer(common), b"\1" * 32
    for call in (
        common.batch(common.hospital, word, 1),
        receipts(common),
        Call("Access", "request", {"id": word, "commitment": word}),
        Call("Schema", "register", {"schemaId": word, "elements": 1, "supersedes": bytes(32)}),
        Call("Evidence", "record", {"kind": word, "digest": word}),
        Call("Workflow", "submit", {"id": word, "kind": word, "packageDigest": word}),
        Call("Access", "review", {"id": word, "outcome": 1}),
        common.credential(Practitioner(word, crypto.sm2_generate(), stranger, 1), 0, common.now() + DAY),
    ):
        assert refused(common, stranger, call) == f"NotAMember({stranger.account})"
