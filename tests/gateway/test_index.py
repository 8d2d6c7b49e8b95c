"""The index: only what was anchored comes in, and a hidden record changes nothing anybody else sees."""

from __future__ import annotations

import base64
import dataclasses
import secrets
from typing import Any

import pytest

from core import merkle
from core.entry import TOMBSTONE, IndexEntry
from core.hexes import to_bytes, to_hex
from gateway.client import GatewayClient, GatewayProblem
from tests.gateway.house import House
from tests.scenarios.test_story import scope_for
from tests.support.world import Resident


def anchored(house: House, leaves: list[bytes]) -> dict[str, Any]:
    """A batch the ledger holds, as its custodian hands it in."""
    root = merkle.root(merkle.leaf_hashes(leaves))
    house.world.anchor(house.world.platform, root, len(leaves))
    first = IndexEntry.unpack(leaves[0]).sequence
    return {
        "organisation": to_hex(house.world.platform.id),
        "batch": 0,
        "root": to_hex(root),
        "firstSequence": first,
        "count": len(leaves),
        "entries": [base64.b64encode(leaf).decode() for leaf in leaves],
    }


def hand_in(house: House, body: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = house.as_organisation(house.world.platform).call("POST", "/index/batches", body=body)
    return answer


def test_a_batch_is_taken_once_in_either_form(house: House) -> None:
    resident = house.world.resident()
    leaves = house.entries(house.world.platform, resident, ["laboratory"] * 5)
    body = anchored(house, leaves)
    assert hand_in(house, body)["added"] == 5
    assert hand_in(house, body)["added"] == 0
    assert hand_in(house, {**body, "entries": base64.b64encode(b"".join(leaves)).decode()})["added"] == 0
    assert house.as_resident(resident).entries().total == 5


def test_what_is_not_the_anchored_batch_is_refused_and_leaves_nothing(house: House) -> None:
    resident = house.world.resident()
    leaves = house.entries(house.world.platform, resident, ["laboratory"] * 3)
    body = anchored(house, leaves)
    forged = [*leaves[:2], dataclasses.replace(IndexEntry.unpack(leaves[2]), commitment=b"\1" * 32).pack()]
    shifted = [dataclasses.replace(IndexEntry.unpack(leaf), sequence=9).pack() for leaf in leaves]
    foreign = [dataclasses.replace(IndexEntry.unpack(leaf), organisation=b"\2" * 32).pack() for leaf in leaves]

    def entries(made: list[bytes]) -> dict[str, Any]:
        return {**body, "entries": [base64.b64encode(leaf).decode() for leaf in made]}

    wrong = [
        ({**body, "root": "0x" + "11" * 32}, "batch_not_anchored"),
        ({**body, "batch": 1}, "batch_not_anchored"),
        ({**body, "firstSequence": 1}, "batch_not_anchored"),
        ({**body, "organisation": to_hex(house.world.hospital.id)}, "not_your_batch"),
        (entries(forged), "entries_wrong"),
        (entries(shifted), "entries_wrong"),
        (entries(foreign), "entries_wrong"),
        (entries(leaves[:2]), "entries_wrong"),
        (entries([leaf[:255] for leaf in leaves]), "entries_wrong"),
        ({**body, "entries": ["!"] * 3}, "entries_wrong"),
    ]
    for attempt, code in wrong:
        with pytest.raises(GatewayProblem, match=code):
            hand_in(house, attempt)
    assert house.as_resident(resident).entries().total == 0


def test_only_the_newest_version_shows_and_a_tombstone_hides_the_record_in_any_order_of_arrival(house: House) -> None:
    resident, platform = house.world.resident(), house.world.platform
    first = house.entries(platform, resident, ["laboratory", "medication"])
    old, gone = (IndexEntry.unpack(leaf) for leaf in first)
    second = [
        dataclasses.replace(old, sequence=2, version=2, commitment=secrets.token_bytes(32), previous=old.commitment).pack(),
        dataclasses.replace(gone, sequence=3, version=2, flags=TOMBSTONE, previous=gone.commitment).pack(),
    ]
    early, late = anchored(house, first), anchored(house, second) | {"batch": 1}
    hand_in(house, late)
    hand_in(house, early)
    (entry,) = house.as_resident(resident).entries().items
    assert (entry.record, entry.version) == (to_hex(old.record), 2)


def test_pages_show_every_record_once(house: House) -> None:
    resident = house.world.resident()
    leaves = [
        dataclasses.replace(IndexEntry.unpack(leaf), recorded_at=1_700_000_000 + n // 4).pack()
        for n, leaf in enumerate(house.entries(house.world.platform, resident, ["laboratory"] * 23))
    ]
    hand_in(house, anchored(house, leaves))
    client = house.as_resident(resident)
    seen, page = [], client.entries(limit=5)
    while True:
        seen += [e.record for e in page.items]
        assert page.total == 23
        if page.next is None:
            break
        page = client.entries(limit=5, cursor=page.next)
    assert len(seen) == len(set(seen)) == 23
    times = [e.recordedAt for e in client.all_entries()]
    assert times == sorted(times, reverse=True)


def test_own_records_can_be_filtered(house: House) -> None:
    resident = house.world.resident()
    house.index(house.world.platform, house.entries(house.world.platform, resident, ["laboratory", "medication", "laboratory"]))
    house.index(house.world.hospital, house.entries(house.world.hospital, resident, ["imaging"]))
    client = house.as_resident(resident)
    assert client.entries(category="laboratory").total == 2
    assert client.entries(custodian=to_hex(house.world.hospital.id)).categories == {"imaging": 1}
    assert client.entries(from_=1_700_000_001, to=1_700_000_002).total == 1
    with pytest.raises(GatewayProblem, match="unknown_code"):
        client.entries(category="nonsense")


def seen_by_doctor(house: House, resident: Resident, hidden: int) -> dict[str, Any]:
    """What a doctor with a consent for laboratory sees, with this many hidden records strewn between."""
    platform = house.world.platform
    head = house.world.ledger.read(_head(platform.id))
    shown = ["laboratory"] * 4
    categories = shown if not hidden else [c for s in shown for c in (s, *["mental-health"] * hidden)]
    leaves = house.entries(platform, resident, categories, first=head["nextSequence"])
    visible = 0
    fixed = []
    for leaf in leaves:
        entry = IndexEntry.unpack(leaf)
        if entry.category == 3:
            entry = dataclasses.replace(
                entry, record=bytes([visible + 1]) * 32, commitment=bytes([visible + 1]) * 32, recorded_at=1_700_000_000 + visible
            )
            visible += 1
        fixed.append(entry.pack())
    house.index(platform, fixed, batch=head["batches"], first=head["nextSequence"])
    doctor = house.world.practitioner(house.world.hospital)
    mine, theirs = house.as_resident(resident), house.as_practitioner(doctor)
    artefact, accepted = mine.grant(scope_for(house, resident, doctor, "laboratory"))
    mine.wait(accepted)
    return pages(theirs, artefact)


def _head(organisation: bytes):  # type: ignore[no-untyped-def]
    from gateway.ledger.port import Call

    return Call("DataIndex", "headOf", {"organisation": organisation})


def pages(client: GatewayClient, artefact: Any) -> dict[str, Any]:
    collected: dict[str, Any] = {}
    cursor = None
    while True:
        page = client.search(artefact, "TREAT", "physician", limit=3, **({"cursor": cursor} if cursor else {}))
        answer = page.model_dump()
        for item in answer["items"]:
            del item["subject"], item["batch"]
        collected[str(cursor)] = answer
        cursor = page.next
        if cursor is None:
            return collected


def test_hidden_records_change_no_count_no_page_and_no_cursor(house: House) -> None:
    without = seen_by_doctor(house, house.world.resident(), hidden=0)
    among_many = seen_by_doctor(house, house.world.resident(), hidden=7)
    assert without["None"]["total"] == 4
    assert without == among_many


def test_a_consent_opens_nothing_to_anybody_else(house: House) -> None:
    resident, other = house.world.resident(), house.world.resident()
    for person, custodian in ((resident, house.world.platform), (other, house.world.hospital)):
        house.index(custodian, house.entries(custodian, person, ["laboratory"]))
    doctor = house.world.practitioner(house.world.hospital)
    mine = house.as_resident(resident)
    artefact, accepted = mine.grant(scope_for(house, resident, doctor, "laboratory"))
    mine.wait(accepted)
    theirs = house.as_practitioner(doctor)
    assert theirs.search(artefact, "TREAT", "physician").total == 1
    assert theirs.search(artefact, "TREAT", "nurse").total == 0
    colleague = house.as_practitioner(house.world.practitioner(house.world.hospital))
    assert colleague.search(artefact, "TREAT", "physician").total == 0
    body = {"subject": to_hex(other.subject), "purpose": "TREAT", "role": "physician", "artefact": artefact.to_json()}
    assert theirs.call("POST", "/index/search", body=body)["total"] == 0
    wider = artefact.to_json()
    wider["scope"] = {**wider["scope"], "categories": "all"}
    with pytest.raises(GatewayProblem, match="artefact_invalid"):
        theirs.call("POST", "/index/search", body={**body, "subject": to_hex(resident.subject), "artefact": wider})


def test_a_proof_leads_from_every_entry_to_the_root_on_the_ledger(house: House) -> None:
    resident = house.world.resident()
    leaves = house.entries(house.world.platform, resident, ["laboratory"] * 11)
    body = anchored(house, leaves)
    hand_in(house, body)
    client, custodian = house.as_resident(resident), house.as_organisation(house.world.platform)
    for entry in client.all_entries():
        proof = client.proof(entry.record)
        assert proof == custodian.proof(entry.record)
        path = [to_bytes(h) for h in proof.hashes]
        leaf = merkle.leaf_hash(to_bytes(proof.entry, 256))
        assert merkle.verify_inclusion(leaf, proof.leafIndex, proof.treeSize, path, to_bytes(body["root"]))
    with pytest.raises(GatewayProblem, match="not_found"):
        house.as_organisation(house.world.hospital).proof(client.entries().items[0].record)
