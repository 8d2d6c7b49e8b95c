"""The main job, end to end through REST, on every ledger: a resident's own signature decides what a doctor may see."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import crypto, ids, merkle
from core.decision import Outcome, Reason
from core.hexes import to_bytes, to_hex
from core.receipt import Receipt
from core.scope import Grantee, Scope
from core.vocabulary import category_number, purpose_number
from core.words import ZERO
from gateway.client import GatewayProblem
from tests.gateway.house import House, build_house
from tests.support.chains import DoubleChain, EvmChain
from tests.support.world import Practitioner, Resident

ID_NUMBER, NAME = "11010519491231002X", "测试 居民"


@pytest.fixture
def house(chain: EvmChain | DoubleChain, tmp_path: Path) -> Iterator[House]:
    made = build_house(chain, tmp_path / "home")
    yield made
    made.close()


def enrol(house: House) -> Resident:
    """The registrar's machine puts somebody into the directory; they open their account with the code from the counter."""
    registrar, subject = house.gateway.registrar, house.world.new_subject()
    entry = {"lookup": registrar.lookup(ID_NUMBER), "subject": subject, "nameCheck": registrar.name_check(NAME)}
    taken = house.as_organisation(house.world.operator).fill_directory([{k: to_hex(v) for k, v in entry.items()}])
    assert taken.added == 1
    keys = crypto.sm2_generate()
    with house.open() as client:
        client.enrol(" 11010519491231002x ", "测试居民", registrar.activation_code(subject, 0), keys.private)
    return Resident(subject, keys)


def scope_for(house: House, resident: Resident, doctor: Practitioner, *categories: str) -> Scope:
    start = house.world.now() - 5
    return Scope(
        resident.subject,
        Grantee("practitioner", doctor.id, doctor.organisation.id),
        frozenset({purpose_number("TREAT")}),
        start,
        start + 86_400,
        frozenset(category_number(c) for c in categories),
    )


def receipt_of(house: House, resident: Resident, doctor: Practitioner, record: str) -> Receipt:
    head = house.world.ledger.head()
    return Receipt(
        house.world.platform.id, 0, ZERO, head.time, doctor.id, doctor.organisation.id, resident.subject, to_bytes(record),
        "TREAT", None, Outcome.PERMIT, Reason.OK.text, 7, head.height, head.hash, ids.random32(), ids.random32(),
    )  # fmt: skip


def test_the_story(house: House) -> None:
    world = house.world
    resident = enrol(house)
    doctor = world.practitioner(world.hospital)
    mine, theirs = house.as_resident(resident), house.as_practitioner(doctor)

    leaves = house.entries(world.platform, resident, ["laboratory", "medication", "mental-health", "laboratory"])
    house.index(world.platform, leaves)
    assert [e.category for e in mine.all_entries()] == ["laboratory", "mental-health", "medication", "laboratory"]

    # every entry is provable against the root the ledger holds
    proof = mine.proof(mine.entries().items[0].record)
    path = [to_bytes(h) for h in proof.hashes]
    leaf = merkle.leaf_hash(to_bytes(proof.entry, 256))
    held = world.ledger.read(_batch_of(house))["root"]
    assert merkle.verify_inclusion(leaf, proof.leafIndex, proof.treeSize, path, held)

    # the doctor finds the patient and asks; the resident sees who asks for what
    assert theirs.look_up(id_number=ID_NUMBER) == to_hex(resident.subject)
    now = int(time.time())
    asked = theirs.ask(
        subject=to_hex(resident.subject), purpose="TREAT", reason="复诊", period=(now, now + 3600), categories=["laboratory"]
    )
    theirs.wait(asked.operation)
    waiting = mine.access_requests("waiting").items
    assert [(r.id, r.requester, r.reason) for r in waiting] == [(asked.id, to_hex(doctor.id), "复诊")]

    # preview, grant, answer
    scope = scope_for(house, resident, doctor, "laboratory")
    preview = mine.preview(scope)
    assert (preview.total, preview.alreadyOpen, preview.categories) == (2, 0, {"laboratory": 2})
    artefact, accepted = mine.grant(scope)
    mine.wait(accepted)
    mine.wait(mine.answer(asked.id, to_hex(artefact.consent)))
    assert mine.preview(scope, [artefact]).alreadyOpen == 2
    assert {n.kind for n in theirs.notices().items} >= {"access-answer", "consent-granted"}
    assert theirs.access_request(asked.id).consent == to_hex(artefact.consent)

    # the doctor opens the artefact with an own key and sees exactly what was granted
    opened = theirs.open_artefact(to_hex(artefact.consent))
    found = theirs.search(opened, "TREAT", "physician")
    assert (found.total, {e.category for e in found.items}) == (2, {"laboratory"})
    assert theirs.search(opened, "HRESCH", "physician").total == 0

    # a gate hands in the receipt; the resident sees who has read
    receipt = receipt_of(house, resident, doctor, found.items[0].record)
    house.as_organisation(world.platform).hand_in_receipts([(receipt.canonical().decode(), ids.random32())])
    (reading,) = mine.receipts().items
    assert (reading.requester, reading.record, reading.anchored) == (to_hex(doctor.id), found.items[0].record, False)

    # narrower, then no more
    amended, accepted = mine.grant(scope_for(house, resident, doctor, "medication"), amends=to_hex(artefact.consent))
    mine.wait(accepted)
    assert theirs.search(opened, "TREAT", "physician").total == 0
    assert theirs.search(amended, "TREAT", "physician").categories == {"medication": 1}
    mine.wait(mine.revoke(to_hex(amended.consent)))
    assert theirs.search(amended, "TREAT", "physician").total == 0
    assert [c.status for c in mine.consents().items] == ["revoked", "amended"]


def _batch_of(house: House):  # type: ignore[no-untyped-def]
    from gateway.ledger.port import Call

    return Call("DataIndex", "batchOf", {"organisation": house.world.platform.id, "batch": 0})


def test_an_account_is_opened_once_and_the_code_with_it(house: House) -> None:
    resident = enrol(house)
    code = house.gateway.registrar.activation_code(resident.subject, 0)
    with house.open() as client, pytest.raises(GatewayProblem, match="enrolment_refused"):
        client.begin_enrolment(ID_NUMBER, NAME, code)
    with house.open() as client:
        again = client.begin_enrolment(ID_NUMBER, NAME, house.gateway.registrar.activation_code(resident.subject, 1))
    assert again.recovery


def test_a_rotated_key_takes_over_at_once(house: House) -> None:
    resident = enrol(house)
    client, stolen = house.as_resident(resident), house.as_resident(resident)
    new = crypto.sm2_generate()
    client.rotate_key(new.private)
    with pytest.raises(GatewayProblem, match="session_over"):
        stolen.who_am_i()
    assert client.who_am_i().subject == to_hex(resident.subject)
    with pytest.raises(GatewayProblem, match="login_refused"):
        house.as_resident(resident)
    assert house.as_resident(Resident(resident.subject, new)).who_am_i().subject == to_hex(resident.subject)
