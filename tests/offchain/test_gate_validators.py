"""A bundle read from four validators, checked offline by somebody who knows the validators' keys and no block."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.bundle import checkpoint
from core.verify import verify
from tests.offchain.gate_kit import GateKit
from tests.offchain.gate_scene import PATIENT, Scene, patiently
from tests.support.validators import ValidatorChain
from tests.support.world import build_world

pytestmark = [pytest.mark.validators, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def scene(validators_chain: ValidatorChain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    world = build_world(validators_chain)
    kit = GateKit(world, tmp_path_factory.mktemp("gate"), ledger={"max_head_age_seconds": 600}, **PATIENT)
    with kit.serve() as serving:
        yield Scene(kit, serving)
    world.close()


def test_the_bundle_proves_itself_under_the_validators_keys_alone(scene: Scene) -> None:
    reading = scene.read()
    client = scene.serving.as_doctor(scene.doctor)
    bundle = patiently(lambda: client.complete(reading.bundle), lambda b: b["receipt"]["anchor"] is not None)
    ledger = scene.world.ledger
    info, proved = ledger.info(), ledger.proof("Alliance", [bytes(32)], ledger.head().height)
    assert proved is not None
    assert proved.commit is not None
    trust = checkpoint(info.chain, info.ledger_id, info.contracts, [], proved.commit.validators)
    report = verify(bundle, trust)
    assert report.exit_code == 0, report.text()
    assert all(line.ok for line in report.lines), report.text()
    assert verify(bundle, {**trust, "chain": "healthtrust_1-1"}).exit_code == 3
    assert verify(bundle, {**trust, "validators": []}).exit_code == 3
