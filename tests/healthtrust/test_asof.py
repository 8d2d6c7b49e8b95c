"""Who could read a record at a moment, and who did: one question, every line proved, nobody but auditors."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.artefact import ConsentArtefact
from core.decision import Outcome
from core.entry import IndexEntry
from core.hexes import to_bytes, to_hex
from core.receipt import Receipt, batch_root, salted_leaf
from core.words import ZERO
from gateway.client import GatewayClient, GatewayProblem
from gateway.ledger.port import Call
from healthtrust.applications import mirrored
from healthtrust.people import judged
from mirror.agreement import evidence_calls
from mirror.database import Database
from mirror.live import Live
from mirror.loop import Follower
from tests.gateway.house import House, build_house
from tests.support.chains import DoubleChain
from tests.support.world import Organisation, Practitioner, Resident


class Asked:
    """A house with a mirror beside it, and an auditor at the door."""

    def __init__(self, house: House) -> None:
        self.house = house
        settings = house.gateway.settings
        self.database = Database(settings.mirror_database())
        self.follower = Follower(house.world.ledger, self.database, 64)
        mirrored(house.app, settings)
        self.auditor = house.as_practitioner(house.world.practitioner(house.world.operator, ("auditor",)))

    def ask(
        self, identifier: bytes, *artefacts: ConsentArtefact, who: GatewayClient | None = None, **moment: int
    ) -> dict[str, Any]:
        self.follower.catch_up()
        body = {"identifier": to_hex(identifier), "artefacts": [a.to_json() for a in artefacts], **moment}
        answer: dict[str, Any] = (who or self.auditor).call("POST", "/audit/as-of", body=body)
        return answer

    def reads(self, store: Organisation, reader: Practitioner, resident: Resident, records: list[bytes], first: int = 0) -> None:
        """Receipts of permitted readings, handed in and put on the ledger as one batch."""
        made, previous = [], ZERO
        for number, record in enumerate(records, first):
            receipt = Receipt(
                store.id, number, previous, self.house.world.now(), reader.id, reader.organisation.id, resident.subject, record,
                "TREAT", None, Outcome.PERMIT, "ok", 3, 7, b"\1" * 32, b"\2" * 32, b"\3" * 32,
            )  # fmt: skip
            previous = receipt.hash()
            made.append((receipt.canonical().decode(), secrets.token_bytes(32)))
        self.house.as_organisation(store).hand_in_receipts(made)
        root = batch_root([salted_leaf(salt, text.encode()) for text, salt in made])
        call = Call("Access", "record", {"root": root, "firstNumber": first, "count": len(made), "headHash": previous})
        self.house.world.send((store, call))


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    chain = DoubleChain()
    made = Asked(build_house(chain, tmp_path / "home"))
    yield made
    made.database.close()
    made.house.close()
    chain.close()


def test_who_could_and_who_did(asked: Asked) -> None:
    house, world = asked.house, asked.house.world
    resident, reader = world.resident(), world.practitioner(world.hospital)
    leaves = house.entries(world.platform, resident, ["laboratory", "medication"])
    house.index(world.platform, leaves)
    laboratory, medication = (IndexEntry.unpack(leaf).record for leaf in leaves)
    consent = world.grant(resident, world.scope(resident, reader, categories=frozenset({IndexEntry.unpack(leaves[0]).category})))
    asked.reads(world.platform, reader, resident, [laboratory, medication, laboratory])

    sealed = asked.ask(laboratory)
    assert [(line["consent"], line["state"], line["opened"]) for line in sealed["lines"]] == [
        (to_hex(consent.consent), "in force", None)
    ]
    assert sealed["record"]["record"] == to_hex(laboratory)
    assert [(r["number"], r["requester"], r["outcome"]) for r in sealed["readings"]] == [
        (2, to_hex(reader.id), "permit"), (0, to_hex(reader.id), "permit")
    ]  # fmt: skip
    assert sealed["stores"] == [{"store": to_hex(world.platform.id), "anchored": 3, "known": 3, "complete": True}]
    assert judged(sealed).holds
    assert judged(sealed).readings_proved == [True, True]

    opened = asked.ask(laboratory, consent)["lines"][0]["opened"]
    assert opened["scope"]["grantee"]["id"] == to_hex(reader.id)
    assert [(d["purpose"], d["outcome"]) for d in opened["decided"]] == [("TREAT", "permit")]
    other = asked.ask(medication, consent)["lines"][0]["opened"]
    assert [(d["outcome"], d["reason"]) for d in other["decided"]] == [("deny", "category_not_granted")]


def test_before_the_grant_and_after_its_end_nobody_could(asked: Asked) -> None:
    house, world = asked.house, asked.house.world
    resident, reader = world.resident(), world.practitioner(world.hospital)
    leaves = house.entries(world.platform, resident, ["laboratory"])
    house.index(world.platform, leaves)
    record = IndexEntry.unpack(leaves[0]).record
    before = world.ledger.head().height
    consent = world.grant(resident, world.scope(resident, reader))
    somebody = world.resident()
    world.grant(somebody, world.scope(somebody, reader))
    world.revoke(resident, consent.consent)
    for answer in (asked.ask(record, height=before), asked.ask(record)):
        assert answer["lines"] == []
        assert judged(answer).holds
    assert [e["status"] for e in asked.ask(record)["ended"]] == ["revoked"]
    with pytest.raises(GatewayProblem, match="artefact"):
        asked.ask(record, consent)
    with pytest.raises(GatewayProblem, match="record"):
        asked.ask(record, time=1)


def test_a_forged_answer_does_not_hold(asked: Asked) -> None:
    house, world = asked.house, asked.house.world
    resident, reader = world.resident(), world.practitioner(world.hospital)
    leaves = house.entries(world.platform, resident, ["laboratory"])
    house.index(world.platform, leaves)
    world.grant(resident, world.scope(resident, reader))
    somebody = world.resident()
    world.grant(somebody, world.scope(somebody, reader))
    asked.reads(world.platform, reader, resident, [IndexEntry.unpack(leaves[0]).record])
    true = asked.ask(IndexEntry.unpack(leaves[0]).record)
    hidden, line_only, other_reader = (copy.deepcopy(true) for _ in range(3))
    hidden["lines"], hidden["section"]["leaves"] = [], []
    line_only["lines"] = []
    text = other_reader["readings"][0]["receipt"]
    other_reader["readings"][0]["receipt"] = text.replace(to_hex(reader.id), to_hex(world.operator.id))
    assert [judged(a).holds for a in (true, hidden, line_only, other_reader)] == [True, False, False, False]


def test_a_receipt_that_was_not_handed_in_is_missed(asked: Asked) -> None:
    house, world = asked.house, asked.house.world
    resident, reader = world.resident(), world.practitioner(world.hospital)
    leaves = house.entries(world.platform, resident, ["laboratory"])
    house.index(world.platform, leaves)
    record = IndexEntry.unpack(leaves[0]).record
    asked.reads(world.platform, reader, resident, [record])
    call = {"root": secrets.token_bytes(32), "firstNumber": 1, "count": 2, "headHash": secrets.token_bytes(32)}
    world.send((world.platform, Call("Access", "record", call)))
    store = asked.ask(record)["stores"][0]
    assert (store["anchored"], store["known"], store["complete"]) == (3, 1, False)


def test_the_block_is_attested_by_those_whose_mirrors_agree(asked: Asked) -> None:
    world = asked.house.world
    resident = world.resident()
    asked.follower.catch_up()
    height = world.ledger.head().height
    for member in (world.platform, world.hospital):
        for call in evidence_calls(Live(asked.database), member.id, member.sign, height):
            world.send((member, call))
    at = asked.ask(resident.subject, height=height)["attested"]
    assert at["agree"]
    assert {s["organisation"] for s in at["said"]} == {to_hex(world.platform.id), to_hex(world.hospital.id)}
    later = asked.ask(resident.subject)["attested"]
    assert (later["said"], later["near"]) == ([], [height, None])
    agreement = asked.auditor.call("GET", "/mirror/agreement")
    assert [(a["height"], a["agree"]) for a in agreement["heights"]] == [(height, True)]


def test_only_auditors_and_they_are_seen(asked: Asked) -> None:
    world = asked.house.world
    resident, doctor = world.resident(), world.practitioner(world.hospital)
    for caller in (asked.house.as_resident(resident), asked.house.as_practitioner(doctor)):
        with pytest.raises(GatewayProblem, match="403"):
            asked.ask(resident.subject, who=caller)
    asked.ask(resident.subject)
    (kept,) = asked.auditor.evidence().items
    assert (kept.kind, to_bytes(kept.content["identifier"])) == ("audit", resident.subject)
    assert kept.content["asOf"] > 0


@pytest.mark.parametrize(
    "moment", [{"height": 10**6}, {"height": 1, "time": 1_800_000_000}, {"height": -1}, {"artefacts": [{"kind": "nothing"}]}]
)
def test_what_cannot_be_answered_is_refused(moment: dict[str, Any], asked: Asked) -> None:
    asked.follower.catch_up()
    with pytest.raises(GatewayProblem, match=r"4\d\d"):
        asked.auditor.call("POST", "/audit/as-of", body={"identifier": "0x" + "11" * 32, **moment})


def test_a_mirror_that_is_away_is_said(asked: Asked) -> None:
    asked.follower.catch_up()
    with asked.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE cursor")
    with pytest.raises(GatewayProblem, match="503"):
        asked.auditor.call("POST", "/audit/as-of", body={"identifier": "0x" + "11" * 32})
