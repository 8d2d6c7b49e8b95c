"""Reading records through the gate: what is served, to whom, and that a bundle proves it offline. On both ledgers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core.bundle import checkpoint
from core.hexes import to_bytes, to_hex
from core.verify import verify
from offchain.client import GateClient, GateRefused, Reading
from tests.offchain.emergencies import signed
from tests.offchain.gate_kit import LABORATORY, Bulletin, GateKit, Serving, Stored
from tests.offchain.gate_scene import PATIENT, Scene, patiently
from tests.support.chains import DoubleChain
from tests.support.world import World, build_world

LEDGER_LINES = {
    f"ledger_{name}" for name in ("index", "consent", "members", "credential", "subject", "custodian", "receipt", "time")
}


@pytest.fixture(scope="module", params=["memory", pytest.param("evm", marks=pytest.mark.node)])
def kit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateKit]:
    world: World = build_world(DoubleChain() if request.param == "memory" else request.getfixturevalue("evm_chain"))
    # The double makes a block only when something is written, so its head may be old.
    yield GateKit(world, tmp_path_factory.mktemp("gate"), ledger={"max_head_age_seconds": 600}, **PATIENT)
    world.close()


@pytest.fixture(scope="module")
def serving(kit: GateKit) -> Iterator[Serving]:
    with kit.serve() as running:
        yield running


@pytest.fixture
def scene(kit: GateKit, serving: Serving) -> Scene:
    return Scene(kit, serving)


def test_a_granted_record_is_served_whole(scene: Scene) -> None:
    reading = scene.read()
    assert reading.elements == scene.stored.values
    assert reading.withheld == []
    receipt = scene.serving.receipts()[reading.receipt]
    assert (receipt["outcome"], receipt["reason"]) == ("permit", "ok")
    assert receipt["fields"] == f"0x{(1 << LABORATORY.element_count) - 1:064x}"
    assert receipt["requester"] == to_hex(scene.doctor.id)
    assert scene.serving.gate.log.delivered(reading.receipt) or patiently(lambda: _delivered(scene, reading.receipt), bool)


def test_only_granted_fields_leave_and_the_cut_can_still_be_checked(scene: Scene) -> None:
    consent = scene.grant(fields={LABORATORY.id: 0b111})
    reading = scene.read(under=consent)
    assert set(reading.elements) == {"1", "2", "3"}
    assert reading.withheld == list(range(4, LABORATORY.element_count + 1))
    assert verify(reading.bundle).exit_code == 3
    narrower = scene.read(under=consent, fields=[2, 5])
    assert set(narrower.elements) == {"2"}


def test_a_resident_reads_their_own_record_without_consent(scene: Scene) -> None:
    own = scene.serving.as_resident(scene.resident)
    s = scene.stored
    reading = own.read_own(s.subject, s.record, s.schema, s.category)
    assert reading.elements == s.values
    assert verify(reading.bundle).exit_code == 3
    assert [e["record"] for e in own.list_own(s.subject).entries] == [to_hex(s.record)]


def test_a_resident_does_not_read_another_resident(scene: Scene) -> None:
    other = scene.serving.as_resident(scene.world.resident())
    s = scene.stored
    with pytest.raises(GateRefused, match="request_malformed"):
        other.read_own(s.subject, s.record, s.schema, s.category)


def test_a_list_shows_what_would_be_served_and_nothing_else(scene: Scene) -> None:
    vital = scene.kit.put(scene.resident, "allergy", {})
    scene.kit.anchor()
    consent = scene.grant(categories={"laboratory"})
    client = scene.serving.as_doctor(scene.doctor)
    asked = {"consent": consent.consent, "artefact": scene.kit.sealed(consent)}
    listing = client.list(scene.resident.subject, **asked)
    assert [e["record"] for e in listing.entries] == [to_hex(scene.stored.record)]
    assert scene.serving.receipts()[listing.receipt]["record"] == "0x" + "00" * 32
    assert scene.refused(vital, under=consent).code == "category_not_granted"


def test_the_bundle_proves_itself_offline(scene: Scene) -> None:
    reading = scene.read()
    shown = verify(reading.bundle)
    assert shown.exit_code == 3, shown.text()
    assert {line.code for line in shown.lines if line.ok is None} <= {*LEDGER_LINES, "receipt_anchor", "trust"}
    client = scene.serving.as_doctor(scene.doctor)
    bundle = patiently(lambda: client.complete(reading.bundle), lambda b: b["receipt"]["anchor"] is not None)
    ledger = bundle["ledger"]
    if scene.world.chain.kind == "memory":
        assert ledger is None
        return
    trust = checkpoint(ledger["chainId"], to_bytes(ledger["ledgerId"]), ledger["contracts"], map(to_bytes, ledger["headers"]))
    report = verify(bundle, trust)
    assert report.exit_code == 0, report.text()
    assert all(line.ok for line in report.lines), report.text()


def test_the_bundle_of_an_emergency_proves_itself_offline(scene: Scene) -> None:
    world, stored = scene.world, scene.stored
    first, second = world.practitioner(world.hospital), world.practitioner(world.hospital)
    artefact, client = signed(scene, first, second), scene.serving.as_doctor(first)
    client.open_emergency(artefact)
    under = {"purpose": "ETREAT", "consent": artefact.consent, "artefact": artefact.to_json()}
    # Where blocks come by the second, the gate's head is a block older than the one that opened it for a moment.
    reading = patiently(lambda: _served(client, stored, under), lambda r: r is not None)
    assert reading is not None
    bundle = patiently(lambda: client.complete(reading.bundle), lambda b: b["receipt"]["anchor"] is not None)
    ledger = bundle["ledger"]
    if world.chain.kind == "memory":
        assert ledger is None
        return
    trust = checkpoint(ledger["chainId"], to_bytes(ledger["ledgerId"]), ledger["contracts"], map(to_bytes, ledger["headers"]))
    report = verify(bundle, trust)
    assert report.exit_code == 0, report.text()
    assert [line.code for line in report.lines if not line.ok] == ["ledger_subject"], "no resident signed"
    proofs = [p for p in ledger["proofs"] if p["meaning"] != "emergency"]
    cut = {**bundle, "ledger": {**ledger, "proofs": proofs}}
    assert verify(cut, trust).exit_code == 3, "without the ledger's word of the emergency it is not shown"


def _served(client: GateClient, stored: Stored, under: dict[str, Any]) -> Reading | None:
    try:
        return client.read(stored.subject, stored.record, stored.schema, stored.category, **under)
    except GateRefused as e:
        if e.code != "no_consent":
            raise
        return None


def test_only_those_concerned_complete_a_bundle(scene: Scene) -> None:
    reading = scene.read()
    stranger = scene.serving.as_doctor(scene.world.practitioner(scene.world.platform))
    with pytest.raises(GateRefused, match="receipt_not_yours") as theirs:
        stranger.complete(reading.bundle)
    nowhere = {**reading.bundle, "receipt": {**reading.bundle["receipt"], "number": 10**9}}
    with pytest.raises(GateRefused, match="receipt_not_yours") as nobodys:
        stranger.complete(nowhere)
    assert theirs.value.problem_document == nobodys.value.problem_document
    assert (
        scene.serving.as_resident(scene.resident).complete(reading.bundle)["receipt"]["json"] == reading.bundle["receipt"]["json"]
    )


def test_revoked_between_ask_and_read(scene: Scene) -> None:
    scene.read()
    scene.world.revoke(scene.resident, scene.consent.consent)
    assert scene.refused().code == "revoked"
    assert scene.last_receipt()["reason"] == "revoked"


def test_amended_consents_give_way_to_their_successor(scene: Scene) -> None:
    narrow = scene.world.scope(scene.resident, scene.doctor, fields={LABORATORY.id: 1})
    successor = scene.world.amend(scene.resident, scene.consent, narrow)
    assert scene.refused().code == "amended"
    assert set(scene.read(under=successor).elements) == {"1"}


def test_a_use_is_spent_before_the_bytes_leave_and_once(scene: Scene) -> None:
    limited = scene.grant(uses=2)
    assert scene.read(under=limited).elements == scene.stored.values
    assert scene.read(under=limited).elements == scene.stored.values
    assert scene.refused(under=limited).code == "uses_exhausted"


def test_the_on_site_code_says_what_is_asked_and_names_no_patient(scene: Scene) -> None:
    answer = scene.serving.as_doctor(scene.doctor).onsite(["TREAT"], ["laboratory"], 1)
    assert answer["payload"]["practitioner"] == to_hex(scene.doctor.id)
    assert "subject" not in answer["payload"]
    assert answer["qr"].startswith("data:image/svg+xml;base64,")
    assert answer["text"].startswith(f"{scene.kit.settings.gateway.public_url}/resident/#/on-site/")


def test_health_is_green_and_open(scene: Scene) -> None:
    health = scene.serving.http.get("http://gate.test/gate/v1/health")
    assert (health.status_code, health.json()["status"]) == (200, "ok")


def _delivered(scene: Scene, number: int) -> bool:
    scene.serving.gate.log.flush()
    return scene.serving.gate.log.delivered(number)


def test_residents_learn_who_read_as_soon_as_the_ledger_has_it(scene: Scene) -> None:
    board = scene.serving.gate.publisher
    assert isinstance(board, Bulletin)
    board.open = False
    reading = scene.read()
    patiently(lambda: scene.serving.gate.log.anchor(reading.receipt), bool)
    assert reading.bundle["receipt"]["json"] not in board.taken
    board.open = True
    patiently(lambda: reading.bundle["receipt"]["json"] in board.taken, bool)
