"""A bundle read on a real Fabric network, checked offline by who knows the roots of members and orderers and no block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core.bundle import checkpoint, fabric_signers
from core.verify import verify
from tests.offchain.gate_kit import GateKit
from tests.offchain.gate_scene import PATIENT, Scene, patiently
from tests.support.chains import FabricChain
from tests.support.world import build_world

pytestmark = [pytest.mark.fabric, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def scene(fabric_chain: FabricChain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    world = build_world(fabric_chain)
    kit = GateKit(world, tmp_path_factory.mktemp("gate"), ledger={"max_head_age_seconds": 600}, **PATIENT)
    with kit.serve() as serving:
        yield Scene(kit, serving)
    world.close()


def trust_of(scene: Scene) -> dict[str, Any]:
    """A checkpoint of the roots alone."""
    ledger = scene.world.ledger
    info, proved = ledger.info(), ledger.proof("", [b"Alliance.ledgerId\0{}"], ledger.head().hash)
    assert proved is not None
    assert proved.endorsed is not None
    return checkpoint(info.chain, info.ledger_id, info.contracts, [], fabric_signers(proved.endorsed))


def test_the_bundle_proves_itself_under_the_roots_of_members_and_orderers(scene: Scene) -> None:
    reading = scene.read()
    client = scene.serving.as_doctor(scene.doctor)
    bundle = patiently(lambda: client.complete(reading.bundle), lambda b: b["ledger"] is not None)
    trust = trust_of(scene)
    report = verify(bundle, trust)
    assert report.exit_code == 0, report.text()
    assert all(line.ok for line in report.lines), report.text()
    assert verify(bundle, {**trust, "members": {**trust["members"], "Org1MSP": [], "Org2MSP": []}}).exit_code == 3
    assert verify(bundle, {**trust, "orderers": {}}).exit_code == 3
    assert verify(bundle, {**trust, "orderers": {}, "blocks": [bundle["decision"]["block"]]}).exit_code == 0
    assert verify(bundle, {**trust, "channel": "another"}).exit_code == 1
