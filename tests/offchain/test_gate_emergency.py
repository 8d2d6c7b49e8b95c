"""Break-glass at the gate: two people, minutes, one reader, always a receipt, ended by the ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core import verify
from core.emergency import UNJUSTIFIED, EmergencyArtefact
from core.hexes import to_hex
from gateway.ledger.port import Call
from offchain.client import GateRefused, Reading
from offchain.gate.app import Options
from tests.offchain.emergencies import signed
from tests.offchain.gate_kit import GateKit
from tests.offchain.gate_scene import PATIENT, Scene
from tests.support.chains import DoubleChain
from tests.support.world import Practitioner, build_world


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    kit = GateKit(build_world(DoubleChain()), tmp_path, **PATIENT)
    with kit.serve() as serving:
        yield Scene(kit, serving)


@pytest.fixture
def two(scene: Scene) -> tuple[Practitioner, Practitioner]:
    return scene.world.practitioner(scene.world.hospital), scene.world.practitioner(scene.world.hospital)


def opened(scene: Scene, two: tuple[Practitioner, Practitioner], **changes: Any) -> EmergencyArtefact:
    """Signed by both, and on the ledger through the hospital's own gate."""
    artefact = signed(scene, *two, **changes)
    scene.serving.as_doctor(two[1]).open_emergency(artefact)
    return artefact


def read(scene: Scene, who: Practitioner, under: EmergencyArtefact, **changes: Any) -> Reading:
    s = scene.stored
    asked: dict[str, Any] = {"subject": s.subject, "record": s.record, "schema": s.schema, "category": s.category}
    asked |= {"consent": under.consent, "artefact": under.to_json(), "purpose": "ETREAT"}
    return scene.serving.as_doctor(who).read(**{**asked, **changes})


def refused(scene: Scene, who: Practitioner, under: EmergencyArtefact, **changes: Any) -> GateRefused:
    with pytest.raises(GateRefused) as refusal:
        read(scene, who, under, **changes)
    return refusal.value


def test_two_people_open_one_reads_and_the_receipt_names_it(scene: Scene, two: tuple[Practitioner, Practitioner]) -> None:
    artefact = opened(scene, two)
    reading = read(scene, two[0], artefact)
    assert reading.elements == scene.stored.values
    receipt = scene.last_receipt()
    assert (receipt["purpose"], receipt["consent"], receipt["reason"]) == ("ETREAT", to_hex(artefact.consent), "ok")
    scene.serving.as_doctor(two[1]).open_emergency(artefact)  # asking again for the same is the same write


def test_the_bundle_shows_that_it_was_an_emergency(scene: Scene, two: tuple[Practitioner, Practitioner]) -> None:
    artefact = opened(scene, two)
    report = verify.verify(read(scene, two[0], artefact).bundle)
    assert report.exit_code == 3, report.text()
    lines = {line.code: line for line in report.lines}
    assert lines["consent"].ok
    assert "紧急调阅" in lines["consent"].zh
    reasoned = {**artefact.to_json(), "reason": "另一个理由"}
    bundle = read(scene, two[0], artefact).bundle
    told = verify.verify({**bundle, "consent": {"artefact": reasoned}})
    assert {line.code for line in told.lines if line.ok is False} == {"consent"}, "the reason is fixed when it is opened"


def test_before_it_is_on_the_ledger_nothing_is_read(scene: Scene, two: tuple[Practitioner, Practitioner]) -> None:
    artefact = signed(scene, *two)
    assert refused(scene, two[0], artefact).code == "no_consent"
    assert scene.last_receipt()["outcome"] == "no-consent"


def test_it_opens_for_its_reader_and_its_purpose_alone(scene: Scene, two: tuple[Practitioner, Practitioner]) -> None:
    artefact = opened(scene, two)
    assert refused(scene, two[1], artefact).code == "grantee_mismatch"
    assert refused(scene, two[0], artefact, purpose="TREAT").code == "purpose_not_granted"
    stranger = scene.world.practitioner(scene.world.platform)
    assert refused(scene, stranger, artefact).code == "no_consent", "another organisation's emergency is none of theirs"
    other = scene.kit.put(scene.world.resident())
    scene.kit.anchor()
    elsewhere = {"subject": other.subject, "record": other.record}
    assert refused(scene, two[0], artefact, **elsewhere).code == "subject_mismatch"


def test_a_reviewer_ends_what_was_not_justified(scene: Scene, two: tuple[Practitioner, Practitioner]) -> None:
    artefact = opened(scene, two)
    read(scene, two[0], artefact)
    review = Call("Access", "review", {"id": artefact.consent, "outcome": UNJUSTIFIED})
    scene.world.send((scene.world.operator, review))
    assert refused(scene, two[0], artefact).code == "revoked"


def test_one_person_cannot_open_it_nor_staff_of_another_house(scene: Scene, two: tuple[Practitioner, Practitioner]) -> None:
    alone = signed(scene, two[0], two[0])
    with pytest.raises(GateRefused) as refusal:
        scene.serving.as_doctor(two[0]).open_emergency(alone)
    assert (refusal.value.code, refusal.value.http_status) == ("emergency_not_opened", 422)
    assert "SamePerson" in str(refusal.value)
    bystander = scene.world.practitioner(scene.world.hospital)
    elsewhere = scene.world.practitioner(scene.world.platform)
    for who in (bystander, elsewhere):
        with pytest.raises(GateRefused) as refusal:
            scene.serving.as_doctor(who).open_emergency(signed(scene, *two))
        assert refusal.value.code == "emergency_not_yours"
    mixed = signed(scene, two[0], elsewhere)
    with pytest.raises(GateRefused) as refusal:
        scene.serving.as_doctor(two[0]).open_emergency(mixed)
    assert refusal.value.code == "emergency_not_opened"


def test_what_is_not_whole_opens_nothing(scene: Scene, two: tuple[Practitioner, Practitioner]) -> None:
    artefact = opened(scene, two)
    document = artefact.to_json()
    forged = [
        {**document, "reason": "另一个理由"},
        {**document, "minutes": 31},
        {**document, "signers": document["signers"][:1] * 2},
        {**document, "scope": {**document["scope"], "purposes": ["TREAT"]}},
        {**document, "scope": {**document["scope"], "period": {"start": 0, "end": 2**40}}},
        {**document, "more": 1},
    ]
    for other in forged:
        assert refused(scene, two[0], artefact, artefact=other).code == "artefact_unreadable"


def test_it_lists_like_a_consent(scene: Scene, two: tuple[Practitioner, Practitioner]) -> None:
    artefact = opened(scene, two)
    doctor = scene.serving.as_doctor(two[0])
    listing = doctor.list(scene.stored.subject, purpose="ETREAT", consent=artefact.consent, artefact=artefact.to_json())
    assert [entry["record"] for entry in listing.entries] == [to_hex(scene.stored.record)]


def test_its_minutes_end_it(tmp_path: Path) -> None:
    chain, later = DoubleChain(), [0.0]
    kit = GateKit(build_world(chain), tmp_path, **PATIENT)
    with kit.serve(Options(clock=lambda: time.time() + later[0])) as serving:
        scene = Scene(kit, serving)
        two = scene.world.practitioner(scene.world.hospital), scene.world.practitioner(scene.world.hospital)
        artefact = opened(scene, two, minutes=1)
        read(scene, two[0], artefact)
        later[0] = 120.0
        assert chain.chain is not None
        chain.chain.clock = lambda: time.time() + later[0]
        assert refused(scene, two[0], artefact).code == "expired"
