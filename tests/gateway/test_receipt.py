"""Receipts: a store tells one story, and each receipt is seen by those it is about."""

from __future__ import annotations

import dataclasses
import secrets

import pytest

from core import crypto
from core.decision import Outcome
from core.hexes import to_hex
from core.receipt import Receipt, batch_root, salted_leaf
from core.words import ZERO
from gateway.client import GatewayProblem
from gateway.ledger.port import Call
from tests.gateway.house import House
from tests.support.world import Organisation, Practitioner, Resident


def chain(store: Organisation, reader: Practitioner, residents: list[Resident]) -> list[tuple[str, bytes]]:
    made, previous = [], ZERO
    for number, resident in enumerate(residents):
        receipt = Receipt(
            store.id, number, previous, 1_700_000_000, reader.id, reader.organisation.id, resident.subject,
            secrets.token_bytes(32), "TREAT", None, Outcome.PERMIT, "ok", 3, 7, b"\1" * 32, b"\2" * 32, b"\3" * 32,
        )  # fmt: skip
        previous = receipt.hash()
        made.append((receipt.canonical().decode(), secrets.token_bytes(32)))
    return made


def test_everybody_sees_what_is_about_them(house: House) -> None:
    world = house.world
    first, second = world.residents(2)
    reader = world.practitioner(world.hospital)
    receipts = chain(world.platform, reader, [first, second, first])
    store = house.as_organisation(world.platform)
    assert store.hand_in_receipts(receipts).added == 3
    assert store.hand_in_receipts(receipts).model_dump() == {"added": 0, "known": 3}
    mine = house.as_resident(first)
    assert [r.number for r in mine.receipts().items] == [2, 0]
    assert mine.receipts(subject=to_hex(second.subject)).items == []
    assert [n.data["count"] for n in mine.notices().items if n.kind == "reading"] == [2]
    assert len(house.as_practitioner(reader).receipts().items) == 3
    assert house.as_practitioner(world.practitioner(world.hospital)).receipts().items == []
    assert house.as_organisation(world.hospital).receipts().items == []
    assert len(house.as_organisation(world.operator).receipts().items) == 3
    assert len(house.as_practitioner(world.practitioner(world.operator, ("auditor",))).receipts().items) == 3


def test_pages_lose_nothing_when_many_receipts_have_one_time(house: House) -> None:
    world = house.world
    resident, reader = world.resident(), world.practitioner(world.hospital)
    for store in (world.platform, world.hospital):
        house.as_organisation(store).hand_in_receipts(chain(store, reader, [resident] * 5))
    mine, seen = house.as_resident(resident), []
    page = mine.receipts(limit=3)
    while True:
        seen += [r.id for r in page.items]
        if page.next is None:
            break
        page = mine.receipts(limit=3, cursor=page.next)
    assert len(seen) == len(set(seen)) == 10


def test_a_store_cannot_tell_two_stories(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    world = house.world
    resident, reader = world.resident(), world.practitioner(world.hospital)
    receipts = chain(world.platform, reader, [resident] * 4)
    store = house.as_organisation(world.platform)
    store.hand_in_receipts([receipts[0], receipts[2]])
    parsed = [Receipt.from_bytes(text) for text, _ in receipts]
    other = dataclasses.replace(parsed[2], fields=1)
    detached = dataclasses.replace(parsed[1], previous=b"\7" * 32)
    unlinked = dataclasses.replace(parsed[1], time=5)
    for lie in (other, detached, unlinked):
        with pytest.raises(GatewayProblem, match="receipt_chain_broken"):
            store.hand_in_receipts([(lie.canonical().decode(), b"\1" * 32)])
    assert capsys.readouterr().err.count("receipt_chain_broken") >= 3
    assert store.hand_in_receipts([receipts[3], receipts[1]]).added == 2


def test_only_canonical_receipts_of_ones_own_store_are_taken(house: House) -> None:
    world = house.world
    resident, reader = world.resident(), world.practitioner(world.hospital)
    ((text, salt),) = chain(world.platform, reader, [resident])
    with pytest.raises(GatewayProblem, match="not_your_store"):
        house.as_organisation(world.hospital).hand_in_receipts([(text, salt)])
    for bad in (text + " ", text.replace('"permit"', '"maybe"'), "{}"):
        with pytest.raises(GatewayProblem, match="receipt_malformed"):
            house.as_organisation(world.platform).hand_in_receipts([(bad, salt)])


def test_anchored_means_that_the_ledger_has_it(house: House) -> None:
    world = house.world
    resident, reader = world.resident(), world.practitioner(world.hospital)
    receipts = chain(world.platform, reader, [resident] * 3)
    house.as_organisation(world.platform).hand_in_receipts(receipts)
    root = batch_root([salted_leaf(salt, text.encode()) for text, salt in receipts[:2]])
    head = crypto.sm3(receipts[1][0].encode())
    call = Call("Access", "record", {"root": root, "firstNumber": 0, "count": 2, "headHash": head})
    world.send((world.platform, call))
    assert {r.number: r.anchored for r in house.as_resident(resident).receipts().items} == {0: True, 1: True, 2: False}
