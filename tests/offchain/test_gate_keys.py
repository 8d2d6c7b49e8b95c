"""A custodian says, under its own signature, whose keys its own node holds: what a phone checks recipients' keys against."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pytest

from core import crypto
from core.canonical import canonical
from core.hexes import to_hex
from offchain.client import GateRefused
from offchain.gate.vouching import KIND
from tests.offchain.gate_kit import GateKit, Serving
from tests.offchain.gate_scene import PATIENT, Scene
from tests.support.chains import DoubleChain
from tests.support.world import Resident, World, build_world


@pytest.fixture(scope="module", params=["memory", pytest.param("evm", marks=pytest.mark.node)])
def serving(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GateKit, Serving]]:
    world: World = build_world(DoubleChain() if request.param == "memory" else request.getfixturevalue("evm_chain"))
    kit = GateKit(world, tmp_path_factory.mktemp("gate"), ledger={"max_head_age_seconds": 600}, **PATIENT)
    with kit.serve() as running:
        yield kit, running
    world.close()


@pytest.fixture
def scene(serving: tuple[GateKit, Serving]) -> Scene:
    return Scene(*serving)


def said(scene: Scene, *parties: tuple[str, bytes]) -> dict[str, Any]:
    """What the resident is told; the signature is checked with the hospital's key."""
    nonce = secrets.token_bytes(32)
    statement, signature = scene.serving.as_resident(scene.resident).keys(nonce, parties)
    assert crypto.sm2_verify(scene.kit.organisation.sm2.public, statement, signature)
    told: dict[str, Any] = orjson.loads(statement)
    assert statement == canonical(told)
    assert (told["kind"], told["nonce"]) == (KIND, to_hex(nonce))
    assert told["custodian"] == to_hex(scene.kit.organisation.id)
    assert told["ledger"] == to_hex(scene.world.ledger.info().ledger_id)
    return told


def test_a_custodian_signs_whose_keys_its_own_node_holds(scene: Scene) -> None:
    doctor, platform = scene.doctor, scene.world.platform
    told = said(scene, ("practitioner", doctor.id), ("organisation", platform.id))
    person, member = told["keys"]
    assert (person["publicKey"], person["active"]) == (to_hex(doctor.keys.public), True)
    assert person["organisation"] == to_hex(platform.id)
    assert (member["publicKey"], member["active"], member["custodian"]) == (to_hex(platform.sm2.public), True, True)


def test_who_is_nobody_and_who_was_dismissed_is_not_active(scene: Scene) -> None:
    dismissed = scene.world.practitioner(scene.world.hospital)
    scene.world.send((scene.world.hospital, scene.world.dismissal(dismissed)))
    stranger = secrets.token_bytes(32)
    told = said(scene, ("practitioner", dismissed.id), ("practitioner", stranger), ("organisation", stranger))
    assert [key["active"] for key in told["keys"]] == [False, False, False]


@pytest.mark.parametrize(
    "parties", [[], [("link", b"\1" * 32)], [("organisation", b"\1" * 31)], [("organisation", b"\1" * 32)] * 201]
)
def test_what_is_no_question_is_refused(scene: Scene, parties: Sequence[tuple[str, bytes]]) -> None:
    with pytest.raises(GateRefused) as refusal:
        scene.serving.as_resident(scene.resident).keys(secrets.token_bytes(32), parties)
    assert refusal.value.http_status == 400


def test_only_who_the_ledger_knows_is_answered(scene: Scene) -> None:
    with pytest.raises(GateRefused) as refusal:
        scene.serving.as_resident(Resident(secrets.token_bytes(32), crypto.sm2_generate())).keys(
            bytes(32), [("organisation", scene.world.hospital.id)]
        )
    assert refusal.value.http_status == 401
