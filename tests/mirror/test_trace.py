"""The life of an identifier: every event it has a part in, in order, and each led to by the one before."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from core.errors import Malformed
from mirror.loop import Follower
from mirror.trace import Trace, trace
from tests.mirror.scripted import ScriptedLedger, entries
from tests.mirror.support import follower

W = {name: bytes([n]) * 32 for n, name in enumerate(["subject", "consent", "next", "org", "other", "root", "request", "hash"], 1)}


def grant(consent: bytes) -> dict[str, Any]:
    return {"subject": W["subject"], "consent": consent, "commitment": W["hash"], "packed": 5, "messageHash": W["hash"]}


@pytest.fixture
def told_life(tmp_path: Path) -> Follower:
    """A key, a consent with two uses, its amendment, its end; a batch in full, and one by root; strangers in between."""
    ledger, rng = ScriptedLedger(), random.Random(1)
    key = {"subject": W["subject"], "x": W["hash"], "y": W["hash"], "registrar": W["org"], "version": 1}
    ledger.extend([("Identity", "KeyBound", key)])
    raw, root = entries(W["org"], 0, 2, rng)
    batch = {"organisation": W["org"], "batch": 0, "root": root, "firstSequence": 0, "count": 2}
    anchored = ("DataIndex", "BatchAnchored", {**batch, "previousRoot": bytes(32)})
    ledger.extend([anchored, ("DataIndex", "EntriesAnchored", {**batch, "entries": raw})])
    ledger.extend(
        [
            ("Consent", "ConsentGranted", grant(W["consent"])),
            ("Consent", "ConsentGranted", {**grant(W["other"]), "subject": W["other"]}),
        ]
    )
    for n in (1, 2):
        ledger.extend([("Consent", "ConsentSpent", {"consent": W["consent"], "uses": n, "by": W["org"]})])
    ledger.extend([("Consent", "ConsentAmended", {**grant(W["next"]), "old": W["consent"]})])
    ledger.extend(
        [("Consent", "ConsentRevoked", {"consent": W["next"], "subject": W["subject"], "packed": 1, "messageHash": W["hash"]})]
    )
    live = follower(ledger, f"sqlite:///{tmp_path / 'a.db'}")
    live.catch_up()
    return live


def types(found: Trace) -> list[str]:
    return [n.type for n in found.nodes]


def links(found: Trace) -> list[tuple[str, str]]:
    names = {n.id: n.type for n in found.nodes}
    return [(names[e.source], names[e.target]) for e in found.edges]


def test_the_life_of_a_resident(told_life: Follower) -> None:
    found = trace(told_life.database, "0x" + W["subject"].hex())
    assert types(found) == ["key bound", "granted", "used", "used", "amended", "revoked"]
    assert links(found) == [
        ("key bound", "granted"), ("granted", "used"), ("used", "used"), ("used", "amended"), ("amended", "revoked"),
    ]  # fmt: skip
    assert found.roles == ["subject"]
    assert [n.height for n in found.nodes] == [1, 3, 4, 5, 6, 7]
    assert found.nodes[0].lane == "0x" + W["org"].hex()
    assert not found.truncated


def test_the_life_of_a_consent_does_not_show_other_peoples(told_life: Follower) -> None:
    found = trace(told_life.database, W["consent"].hex())
    assert types(found) == ["granted", "used", "used", "amended", "revoked"]
    assert found.roles == ["consent", "old"]


def test_the_life_of_a_record_in_full_mode(told_life: Follower) -> None:
    (record,) = {"0x" + bytes(r[4]).hex() for r in _rows(told_life, "entry")[:1]}
    found = trace(told_life.database, record)
    assert types(found) == ["anchored", "entries published", "indexed"]
    assert found.roles == ["record"]
    assert ("entries published", "indexed") in links(found)


def test_a_transaction_shows_all_its_events(told_life: Follower) -> None:
    transaction = "0x" + bytes(_rows(told_life, "event", "height = 3")[0][2]).hex()
    found = trace(told_life.database, transaction)
    assert types(found).count("granted") == 2
    assert "transaction" in found.roles


def test_further_identifiers_come_into_the_same_picture(told_life: Follower) -> None:
    root = "0x" + bytes(_rows(told_life, "batch")[0][4]).hex()
    found = trace(told_life.database, "0x" + W["subject"].hex(), also=[root])
    assert types(found)[:3] == ["key bound", "anchored", "entries published"]


def test_an_unknown_identifier_has_no_life(told_life: Follower) -> None:
    found = trace(told_life.database, "ee" * 32)
    assert (found.nodes, found.edges, found.roles) == ([], [], [])


@pytest.mark.parametrize("nonsense", ["", "0x", "12", "zz" * 32, "0x" + "00" * 33, "'; DROP TABLE event; --"])
def test_what_is_no_identifier_is_refused(nonsense: str, told_life: Follower) -> None:
    with pytest.raises(Malformed):
        trace(told_life.database, nonsense)


def test_colliding_prefixes_hide_nothing(tmp_path: Path) -> None:
    """A member floods the ledger with ids that begin like a resident's consent: the consent's life stays in sight."""
    ledger = ScriptedLedger()
    ledger.extend([("Consent", "ConsentGranted", grant(W["consent"]))])
    for n in range(40):
        id_ = W["consent"][:8] + n.to_bytes(24, "big")
        ledger.extend([("Access", "AccessRequested", {"id": id_, "organisation": W["org"], "commitment": W["hash"]})])
    live = follower(ledger, f"sqlite:///{tmp_path / 'a.db'}")
    live.catch_up()
    found = trace(live.database, W["consent"].hex(), limit=5)
    assert types(found) == ["granted"]
    assert not found.truncated


def test_a_long_life_is_cut_and_says_so(tmp_path: Path) -> None:
    ledger = ScriptedLedger()
    for n in range(30):
        ledger.extend(
            [
                (
                    "Evidence",
                    "EvidenceRecorded",
                    {"organisation": W["org"], "number": n, "kind": W["hash"], "digest": bytes([n + 50]) * 32},
                )
            ]
        )
    live = follower(ledger, f"sqlite:///{tmp_path / 'a.db'}")
    live.catch_up()
    found = trace(live.database, W["org"].hex(), limit=10)
    assert [n.height for n in found.nodes] == list(range(21, 31))
    assert found.truncated
    assert len(found.edges) == 9


def _rows(live: Follower, table: str, where: str = "1 = 1") -> list[Any]:
    with live.database.read() as connection:
        return list(connection.exec_driver_sql(f"SELECT * FROM {table} WHERE {where}").all())  # noqa: S608
