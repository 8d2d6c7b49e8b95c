"""Index batches, receipts, evidence, schemas, workflow and break-glass: numbers without gaps, each under its own organisation."""

from __future__ import annotations

import itertools
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from core import crypto
from core.words import kind_word
from tests.contracts.lab import Lab, Organisation, Person, message

pytestmark = pytest.mark.node
STEPS = json.loads((Path(__file__).parent / "workflow.json").read_text())


def fresh_word() -> bytes:
    return secrets.token_bytes(32)


def head(lab: Lab) -> dict[str, Any]:
    value: dict[str, Any] = lab.read("DataIndex", "headOf", organisation=lab.first.id)
    return value


def entry(organisation: bytes, sequence: int, kind: str = "healthtrust/index-entry/v1") -> bytes:
    return kind_word(kind) + organisation + secrets.token_bytes(160) + sequence.to_bytes(8, "big") + bytes(24)


def test_batches_continue_each_other(lab: Lab) -> None:
    before = head(lab)
    first, second = fresh_word(), fresh_word()
    args = {"root": first, "firstSequence": before["nextSequence"], "count": 50_000, "previousRoot": before["lastRoot"]}
    ((name, event),) = lab.send("DataIndex", "anchorBatch", **args)
    assert (name, event) == ("BatchAnchored", {"organisation": lab.first.id, "batch": before["batches"], **args})
    start = before["nextSequence"] + 50_000
    for change, error in (
        ({"firstSequence": start + 1}, "WrongSequence"),
        ({"firstSequence": start - 1}, "WrongSequence"),
        ({"firstSequence": 0}, "WrongSequence"),
        ({"previousRoot": bytes(32)}, "WrongPreviousRoot"),
        ({"previousRoot": second}, "WrongPreviousRoot"),
        ({"root": bytes(32)}, "ZeroValue"),
        ({"count": 0}, "ZeroValue"),
    ):
        args = {"root": second, "firstSequence": start, "count": 1, "previousRoot": first, **change}
        assert lab.reason("DataIndex", "anchorBatch", **args) == error
    lab.send("DataIndex", "anchorBatch", root=second, firstSequence=start, count=1, previousRoot=first)
    assert head(lab) == {"batches": before["batches"] + 2, "nextSequence": start + 1, "lastRoot": second}
    held = lab.read("DataIndex", "batchOf", organisation=lab.first.id, batch=before["batches"])
    assert (held["root"], held["count"]) == (first, 50_000)
    assert held["anchoredAt"] <= lab.time()
    with pytest.raises(AssertionError, match="UnknownBatch"):
        lab.read("DataIndex", "batchOf", organisation=lab.first.id, batch=before["batches"] + 2)


def test_full_mode_checks_kind_organisation_and_sequence_of_every_entry(lab: Lab) -> None:
    before = head(lab)
    start = before["nextSequence"]
    own = [entry(lab.first.id, start + i) for i in range(5)]
    base = {"root": fresh_word(), "firstSequence": start, "count": 5, "previousRoot": before["lastRoot"]}
    for at, bad in (
        (0, entry(fresh_word(), start)),
        (2, entry(lab.first.id, start + 3)),
        (4, entry(lab.first.id, start + 4, "healthtrust/other/v1")),
    ):
        spoiled = b"".join([*own[:at], bad, *own[at + 1 :]])
        assert lab.reason("DataIndex", "anchorEntries", **base, entries=spoiled) == "WrongEntry"
    for bad_length in (b"".join(own)[:-1], b"".join(own[:4]), b"".join(own) + own[0], b""):
        assert lab.reason("DataIndex", "anchorEntries", **base, entries=bad_length) == "WrongLength"
    events = lab.send("DataIndex", "anchorEntries", **base, entries=b"".join(own))
    assert [name for name, _ in events] == ["BatchAnchored", "EntriesAnchored"]
    assert events[1][1]["entries"] == b"".join(own)
    assert lab.read("DataIndex", "entriesDigestOf", organisation=lab.first.id, batch=before["batches"]) == keccak(b"".join(own))


def test_only_active_custodians_anchor(fresh: Lab) -> None:
    reader = joined(fresh, "READER", 0b10)
    args = {"root": fresh_word(), "firstSequence": 0, "count": 1, "previousRoot": bytes(32)}
    assert fresh.reason("DataIndex", "anchorBatch", reader.account, **args) == "RoleMissing"
    assert fresh.reason("DataIndex", "anchorBatch", Account.create(), **args) == "NotAMember"
    fresh.send("DataIndex", "anchorBatch", **args)
    assert head(fresh)["batches"] == 1


def joined(lab: Lab, code: str, roles: int) -> Organisation:
    made = lab.invite(code, roles)
    lab.send("Alliance", "join", made.account, organisation=made.id)
    return made


def test_receipts_have_no_gaps(lab: Lab) -> None:
    start = lab.read("Access", "receiptsOf", organisation=lab.first.id)["nextNumber"]
    chain_head = fresh_word()
    args = {"root": fresh_word(), "firstNumber": start, "count": 7, "headHash": chain_head}
    ((name, event),) = lab.send("Access", "record", **args)
    assert name == "ReceiptsRecorded"
    assert {k: event[k] for k in args} == args
    assert lab.read("Access", "receiptsOf", organisation=lab.first.id) == {"nextNumber": start + 7, "headHash": chain_head}
    for number in (start, start + 6, start + 8):
        assert lab.reason("Access", "record", **{**args, "firstNumber": number}) == "WrongNumber"
    for zero in ("root", "headHash"):
        assert lab.reason("Access", "record", **{**args, "firstNumber": start + 7, zero: bytes(32)}) == "ZeroValue"
    assert lab.reason("Access", "record", Account.create(), **args) == "NotAMember"
    held = lab.read("Access", "receiptBatchOf", organisation=lab.first.id, batch=event["batch"])
    assert (held["root"], held["firstNumber"], held["count"]) == (args["root"], start, 7)


def test_a_suspended_custodian_still_owes_its_receipts(fresh: Lab) -> None:
    from tests.contracts.test_alliance import SUSPEND, grown, voted

    members = grown(fresh, 3)
    voted(fresh, members, SUSPEND, ["bytes32"], [members[2].id])
    fresh.send("Access", "record", members[2].account, root=fresh_word(), firstNumber=0, count=1, headHash=fresh_word())


def test_requests_and_answers_are_commitments(lab: Lab) -> None:
    request, commitment = fresh_word(), fresh_word()
    assert lab.reason("Access", "answer", id=request, commitment=commitment, value=1) == "UnknownRequest"
    assert lab.reason("Access", "request", id=bytes(32), commitment=commitment) == "ZeroValue"
    lab.send("Access", "request", id=request, commitment=commitment)
    assert lab.reason("Access", "request", id=request, commitment=commitment) == "RequestExists"
    for value in (0, 5):
        assert lab.reason("Access", "answer", id=request, commitment=commitment, value=value) == "UnknownAnswer"
    ((_, event),) = lab.send("Access", "answer", id=request, commitment=fresh_word(), value=2)
    assert event["answer"] == 2
    assert lab.reason("Access", "answer", id=request, commitment=commitment, value=1) == "AlreadyAnswered"
    held = {"organisation": lab.first.id, "commitment": commitment, "status": 2, "value": 2}
    assert lab.read("Access", "requestOf", id=request) == held


def test_evidence_is_numbered(lab: Lab) -> None:
    kind, digest, number = kind_word("release"), fresh_word(), lab.read("Evidence", "countOf", organisation=lab.first.id)
    ((_, event),) = lab.send("Evidence", "record", kind=kind, digest=digest)
    assert event == {"organisation": lab.first.id, "number": number, "kind": kind, "digest": digest}
    held = lab.read("Evidence", "evidenceOf", organisation=lab.first.id, number=number)
    assert (held["kind"], held["digest"]) == (kind, digest)
    assert lab.reason("Evidence", "record", kind=bytes(32), digest=digest) == "ZeroValue"
    with pytest.raises(AssertionError, match="UnknownEvidence"):
        lab.read("Evidence", "evidenceOf", organisation=lab.first.id, number=number + 1)


def test_schemas_are_superseded_once_by_their_owner(fresh: Lab) -> None:
    other = joined(fresh, "OTHER", 0b11111)
    old, new = fresh_word(), fresh_word()
    for elements in (0, 257):
        assert fresh.reason("Schema", "register", schemaId=old, elements=elements, supersedes=bytes(32)) == "BadElements"
    fresh.send("Schema", "register", schemaId=old, elements=256, supersedes=bytes(32))
    assert fresh.reason("Schema", "register", schemaId=old, elements=1, supersedes=bytes(32)) == "SchemaExists"
    assert fresh.reason("Schema", "register", other.account, schemaId=new, elements=1, supersedes=old) == "NotTheOwner"
    assert fresh.reason("Schema", "register", schemaId=new, elements=1, supersedes=fresh_word()) == "UnknownSchema"
    fresh.send("Schema", "register", schemaId=new, elements=1, supersedes=old)
    assert fresh.read("Schema", "schemaOf", schemaId=old) == {"elements": 256, "supersededBy": new, "by": fresh.first.id}
    assert fresh.reason("Schema", "register", schemaId=fresh_word(), elements=1, supersedes=old) == "AlreadySuperseded"


def test_workflow_moves_along_its_table_only(lab: Lab) -> None:
    numbers = {name: n for n, name in enumerate(STEPS["steps"])}
    legal = {(numbers[a], numbers[b]) for a, bs in STEPS["moves"].items() for b in bs}
    for a, b in itertools.product(range(len(numbers)), repeat=2):
        assert lab.read("Workflow", "allowed", **{"from": a, "to": b}) == ((a, b) in legal), (a, b)


def test_workflow_withdrawal_is_the_applicants(fresh: Lab) -> None:
    reader = joined(fresh, "READER", 0b10)
    application = {"id": fresh_word(), "kind": kind_word("export"), "packageDigest": fresh_word()}
    fresh.send("Workflow", "submit", reader.account, **application)
    assert fresh.reason("Workflow", "submit", **application) == "ApplicationExists"
    move = {"id": application["id"], "digest": fresh_word()}
    assert fresh.reason("Workflow", "move", reader.account, **move, toState=2) == "RoleMissing"
    assert fresh.reason("Workflow", "move", **move, toState=6) == "NotTheApplicant"
    assert fresh.reason("Workflow", "move", **move, toState=5) == "IllegalMove"
    fresh.send("Workflow", "move", **move, toState=2)
    fresh.send("Workflow", "move", reader.account, **move, toState=6)
    assert fresh.read("Workflow", "applicationOf", id=application["id"])["step"] == 6


def emergency(lab: Lab, first: Person, second: Person, minutes: int = 30) -> dict[str, Any]:
    args = {"id": fresh_word(), "commitment": fresh_word(), "minutesOpen": minutes}
    text = message("emergency-open", lab.domain("Access"), lab.first.id, args["id"], args["commitment"], minutes)
    signed = [crypto.sm2_sign(p.pair.private, text) for p in (first, second)]
    return {**args, "first": first.id, "firstSignature": signed[0], "second": second.id, "secondSignature": signed[1]}


def test_break_glass_takes_two_people_and_another_members_review(fresh: Lab) -> None:
    auditor = joined(fresh, "AUDITOR", 0b1000)
    a, b, stranger = fresh.practitioner(), fresh.practitioner(), fresh.practitioner(auditor)
    assert fresh.reason("Access", "openEmergency", **emergency(fresh, a, a)) == "SamePerson"
    assert fresh.reason("Access", "openEmergency", **emergency(fresh, a, stranger)) == "CredentialInvalid"
    assert fresh.reason("Access", "openEmergency", **emergency(fresh, a, Person())) == "CredentialInvalid"
    for minutes in (0, 1441):
        assert fresh.reason("Access", "openEmergency", **emergency(fresh, a, b, minutes)) == "BadMinutes"
    day = emergency(fresh, a, b, 1440)
    fresh.send("Access", "openEmergency", **day)
    assert fresh.read("Access", "emergencyOf", id=day["id"])["endsAt"] == fresh.time() + 24 * 3600
    good = emergency(fresh, a, b)
    assert fresh.reason("Access", "openEmergency", **{**good, "minutesOpen": 31}) == "BadSignature"
    assert fresh.reason("Access", "openEmergency", **{**good, "secondSignature": good["firstSignature"]}) == "BadSignature"
    fresh.send("Access", "openEmergency", **good)
    assert fresh.reason("Access", "openEmergency", **good) == "EmergencyExists"
    assert fresh.read("Access", "emergencyOf", id=good["id"])["endsAt"] == fresh.time() + 30 * 60
    assert fresh.reason("Access", "review", id=good["id"], outcome=1) == "OwnEmergency"
    assert fresh.reason("Access", "review", auditor.account, id=good["id"], outcome=3) == "UnknownAnswer"
    fresh.wait(73 * 3600)
    ((_, event),) = fresh.send("Access", "review", auditor.account, id=good["id"], outcome=2)
    assert event["late"]
    assert fresh.reason("Access", "review", auditor.account, id=good["id"], outcome=1) == "AlreadyReviewed"
