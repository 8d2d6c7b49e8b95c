"""That a record exists is protected like the record: no answer tells it, nor its shape, nor what the work behind it touches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from core.entry import IndexEntry
from core.hexes import to_hex
from offchain.client import GateRefused
from offchain.gate import reading
from tests.gateway.house import House
from tests.offchain.gate_scene import Scene
from tests.scenarios.test_story import scope_for


@contextmanager
def statements(house: House) -> Iterator[list[str]]:
    """Every SQL statement of the gateway meanwhile."""
    seen: list[str] = []

    def note(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(house.gateway.engine, "before_cursor_execute", note)
    yield seen
    event.remove(house.gateway.engine, "before_cursor_execute", note)


def test_a_search_without_a_consent_that_holds_never_looks_into_the_index(house: House) -> None:
    """Else its time would tell whether the patient has records, by category and by hospital."""
    resident, other = house.world.resident(), house.world.resident()
    house.index(house.world.platform, house.entries(house.world.platform, resident, ["mental-health"] * 5))
    doctor = house.world.practitioner(house.world.hospital)
    mine, theirs = house.as_resident(resident), house.as_practitioner(doctor)
    artefact, accepted = mine.grant(scope_for(house, resident, doctor, "mental-health"))
    mine.wait(accepted)
    asked = {"purpose": "TREAT", "role": "physician", "artefact": artefact.to_json()}
    for wrong in ({"subject": to_hex(other.subject)}, {"purpose": "HRESCH"}, {"role": "nurse"}):
        with statements(house) as seen:
            body = {"subject": to_hex(resident.subject), **asked, **wrong}
            assert theirs.call("POST", "/index/search", body=body)["total"] == 0
        assert seen
        assert not [s for s in seen if "index_entry" in s]
    assert theirs.search(artefact, "TREAT", "physician").total == 5


def test_a_consent_for_one_record_does_not_show_its_neighbour(house: House) -> None:
    """Same person, same hospital, same kind; only the decision tells them apart."""
    resident = house.world.resident()
    leaves = house.entries(house.world.platform, resident, ["laboratory"] * 3)
    house.index(house.world.platform, leaves)
    doctor = house.world.practitioner(house.world.hospital)
    only = IndexEntry.unpack(leaves[1]).record
    mine, theirs = house.as_resident(resident), house.as_practitioner(doctor)
    artefact, accepted = mine.grant(replace(scope_for(house, resident, doctor, "laboratory"), records=frozenset({only})))
    mine.wait(accepted)
    page = theirs.search(artefact, "TREAT", "physician")
    assert (page.total, [e.record for e in page.items]) == (1, [to_hex(only)])


def listed(scene: Scene, limit: int) -> tuple[list[str], list[int]]:
    """All pages under a consent for laboratory results: the categories seen, and how many each page had."""
    consent = scene.grant(categories=["laboratory"])
    client, after = scene.serving.as_doctor(scene.doctor), -1
    seen: list[str] = []
    sizes: list[int] = []
    while True:
        body = {
            "subject": to_hex(scene.resident.subject),
            "purpose": "TREAT",
            "role": "physician",
            "limit": limit,
            "after": after,
        }
        body |= {"consent": to_hex(consent.consent), "artefact": scene.kit.sealed(consent)}
        page = client._send("POST", "/records/list", body)
        seen += [e["category"] for e in page["entries"]]
        sizes.append(len(page["entries"]))
        if page["next"] is None:
            return seen, sizes
        after = page["next"]


def test_a_list_at_the_gate_shows_no_gap_where_records_are_hidden(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are full until the last, whatever lies between the permitted records; the last says that it is the last."""
    monkeypatch.setattr(reading, "PAGE", 2)
    for code in ("medication", "laboratory-result", "medication", "medication", "laboratory-result", "medication"):
        scene.kit.put(scene.resident, code, {} if code == "medication" else None)
    scene.kit.anchor()
    assert listed(scene, 1) == (["laboratory"] * 3, [1, 1, 1])
    assert listed(scene, 2) == (["laboratory"] * 3, [2, 1])


def test_an_open_health_page_does_not_tell_how_many_reads_there_were(scene: Scene) -> None:
    before = scene.serving.http.get("http://gate.test/gate/v1/health").json()
    scene.read()
    with pytest.raises(GateRefused):
        scene.read(category="medication")
    after = scene.serving.http.get("http://gate.test/gate/v1/health").json()
    assert {**before, "head": 0} == {**after, "head": 0}
