"""Auditors see what is known of an identifier beside the ledger, nobody else does, and that they looked stays."""

from __future__ import annotations

import secrets

import pytest

from core.decision import Outcome
from core.entry import IndexEntry
from core.hexes import to_hex
from core.receipt import Receipt
from core.words import ZERO
from gateway.client import GatewayClient, GatewayProblem
from tests.gateway.house import House
from tests.support.world import Practitioner, Resident


def read_of(house: House, resident: Resident, reader: Practitioner, records: list[bytes]) -> list[Receipt]:
    store, made = house.world.platform, []
    previous = ZERO
    for number, record in enumerate(records):
        receipt = Receipt(
            store.id, number, previous, 1_700_000_000 + number, reader.id, reader.organisation.id, resident.subject, record,
            "TREAT", None, Outcome.PERMIT, "ok", 3, 7, b"\1" * 32, b"\2" * 32, b"\3" * 32,
        )  # fmt: skip
        previous = receipt.hash()
        made.append(receipt)
    house.as_organisation(store).hand_in_receipts([(r.canonical().decode(), secrets.token_bytes(32)) for r in made])
    return made


@pytest.fixture
def auditor(house: House) -> GatewayClient:
    return house.as_practitioner(house.world.practitioner(house.world.operator, ("auditor",)))


def test_a_record_has_its_entries_and_its_readings(house: House, auditor: GatewayClient) -> None:
    world = house.world
    resident, reader = world.resident(), world.practitioner(world.hospital)
    leaves = house.entries(world.platform, resident, ["laboratory", "medication"])
    house.index(world.platform, leaves)
    first, second = (IndexEntry.unpack(leaf).record for leaf in leaves)
    read_of(house, resident, reader, [first, second, first])
    life = auditor.life(to_hex(first))
    assert [(e.record, e.category, e.sequence, e.batch, e.deleted) for e in life.entries] == [
        (to_hex(first), "laboratory", 0, 0, False)
    ]
    assert [(r.number, r.record) for r in life.receipts] == [(2, to_hex(first)), (0, to_hex(first))]
    assert not life.truncated
    assert not any(r.anchored for r in life.receipts), "no batch of receipts is on the ledger"
    for person in (resident.subject, reader.id, world.platform.id):
        found = auditor.life(to_hex(person))
        assert ([r.number for r in found.receipts], found.entries) == ([2, 1, 0], [])


def test_what_nobody_knows_is_empty_and_leaves_nothing(house: House, auditor: GatewayClient) -> None:
    unknown = auditor.life("0x" + "ab" * 32)
    assert (unknown.entries, unknown.receipts, unknown.requests) == ([], [], [])
    assert auditor.evidence().items == []


def test_looking_is_seen(house: House, auditor: GatewayClient) -> None:
    resident, reader = house.world.resident(), house.world.practitioner(house.world.hospital)
    read_of(house, resident, reader, [secrets.token_bytes(32)])
    auditor.life(to_hex(resident.subject))
    (kept,) = auditor.evidence().items
    assert (kept.kind, kept.content["identifier"]) == ("audit", to_hex(resident.subject))


def test_only_auditors(house: House) -> None:
    world = house.world
    resident = world.resident()
    for caller in (house.as_resident(resident), house.as_practitioner(world.practitioner(world.hospital))):
        with pytest.raises(GatewayProblem, match="403"):
            caller.life(to_hex(resident.subject))
    with pytest.raises(GatewayProblem, match="401"):
        house.open().life(to_hex(resident.subject))
