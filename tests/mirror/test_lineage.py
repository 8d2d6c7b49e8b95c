"""Lineage as W3C PROV, and where any hash of the ledger stands."""

from __future__ import annotations

import json

import pytest

from core.errors import Malformed
from mirror import prov
from mirror.database import Database
from mirror.find import answer, find
from mirror.query import Question, page
from mirror.trace import trace
from tests.mirror.scripted import LEDGER_ID
from tests.mirror.support import follower, told

#: Relation and the names of its two arguments (PROV-JSON, section 3).
RELATIONS = {
    "used": ("prov:activity", "prov:entity"),
    "wasGeneratedBy": ("prov:entity", "prov:activity"),
    "wasAssociatedWith": ("prov:activity", "prov:agent"),
    "wasInformedBy": ("prov:informed", "prov:informant"),
    "wasDerivedFrom": ("prov:generatedEntity", "prov:usedEntity"),
}


@pytest.fixture
def mirror(database_url: str) -> Database:
    live = follower(told(9, 60), database_url)
    live.catch_up()
    return live.database


def test_a_consent_s_life_is_prov(mirror: Database) -> None:
    amended = page(mirror, Question("event", {"event": "ConsentAmended"}), limit=1).rows[0]
    args = json.loads(amended["args"])
    life = trace(mirror, args["old"])
    found = prov.document(life)
    assert set(found["activity"]) == {f"ht:event/{node.id}" for node in life.nodes}
    assert len(found["wasInformedBy"]) == len(life.edges)
    declared = {*found["entity"], *found["activity"], *found.get("agent", {})}
    for relation, names in RELATIONS.items():
        for said in found.get(relation, {}).values():
            assert {said[name] for name in names} <= declared
    derived = [(d["prov:generatedEntity"], d["prov:usedEntity"]) for d in found["wasDerivedFrom"].values()]
    assert (f"ht:consent/{args['consent']}", f"ht:consent/{args['old']}") in derived
    assert all(a["prov:startTime"].endswith("Z") for a in found["activity"].values())


def test_nobody_s_life_is_an_empty_document(mirror: Database) -> None:
    assert prov.document(trace(mirror, "0x" + "11" * 32)) == {"prefix": prov.PREFIX}


@pytest.mark.parametrize(
    ("table", "column", "contract"),
    [
        ("consent", "commitment", "Consent"),
        ("consent", "consent", "Consent"),
        ("consent", "message_hash", "Consent"),
        ("batch", "root", "DataIndex"),
        ("entry", "commitment", "DataIndex"),
        ("receipt_batch", "head_hash", "Access"),
        ("evidence", "digest", "Evidence"),
        ("access_request", "request", "Access"),
        ("schema", "schema", "Schema"),
    ],
)
def test_a_hash_leads_to_its_row(table: str, column: str, contract: str, mirror: Database) -> None:
    row = page(mirror, Question(table, history=True), limit=1).rows[0]
    places = [p for p in find(mirror, row[column]) if p.what == f"{table}.{column}"]
    assert places
    place = next(p for p in places if p.height == row.get("height", row.get("valid_from")))
    block = page(mirror, Question("block", {"height": str(place.height)})).rows[0]
    assert (place.contract, place.block, place.time) == (contract, block["hash"], block["time"])
    assert place.ledger == "0x" + LEDGER_ID.hex()
    assert place.business[column] == row[column]
    assert place.organisation in row.values()


def test_a_block_is_found_by_its_hash_and_by_the_digest_after_it(mirror: Database) -> None:
    block = page(mirror, Question("block", {"height": "7"})).rows[0]
    assert [(p.what, p.height) for p in find(mirror, block["hash"])] == [("block.hash", 7)]
    assert [(p.what, p.height) for p in find(mirror, block["digest"])] == [("block.digest", 7)]


def test_what_is_nowhere_is_an_empty_list(mirror: Database) -> None:
    assert answer(mirror, "0x" + "11" * 32) == {"hash": "0x" + "11" * 32, "places": []}
    for wrong in ("", "0x11", "nonsense"):
        with pytest.raises(Malformed):
            find(mirror, wrong)
