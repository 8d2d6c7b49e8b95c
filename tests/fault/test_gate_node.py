"""The gate and a node that dies, or comes back with an older history: nothing is served on the difference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from offchain.gate.app import Options
from tests.fault.test_node_lost import restart_from, saved_state
from tests.offchain.gate_kit import GateKit
from tests.offchain.gate_scene import PATIENT, Scene, patiently
from tests.support.chains import EvmChain
from tests.support.world import build_world

pytestmark = pytest.mark.node


class Gateway:
    """Says whether the others' writes are back."""

    healed = True

    def __call__(self) -> bool:
        return self.healed


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[EvmChain]:
    made = EvmChain(tmp_path / "chain", block_seconds=0.1)
    yield made
    made.close()


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def scene(chain: EvmChain, tmp_path: Path, gateway: Gateway) -> Iterator[Scene]:
    world = build_world(chain)
    kit = GateKit(world, tmp_path / "home", **PATIENT)
    with kit.serve(Options(confirm=gateway)) as serving:
        yield Scene(kit, serving)
    world.close()


def test_a_dead_node_is_no_answer(scene: Scene, chain: EvmChain) -> None:
    scene.read()
    chain.crash()
    refusal = scene.refused()
    assert (refusal.code, refusal.http_status) == ("ledger_unavailable", 503)
    assert scene.last_receipt()["reason"] == "ledger_unavailable"
    chain.node.start()


def test_a_revocation_the_node_forgot_still_holds(scene: Scene, chain: EvmChain, gateway: Gateway) -> None:
    """Revoked, refused; then the node comes back from before the revocation. Until the gateway has put it on again: no."""
    scene.read()
    patiently(lambda: scene.serving.gate.log.open_batch(), lambda b: b is None)
    state = saved_state(chain)
    revocation = scene.world.revocation(scene.resident, scene.consent.consent)
    scene.world.send((scene.world.operator, revocation))
    assert scene.refused().code == "revoked"
    gateway.healed = False
    restart_from(chain, state)
    assert scene.refused().code == "ledger_behind"
    with scene.kit.serve(Options(confirm=gateway)) as restarted:
        assert scene.refused(serving=restarted).code in ("ledger_behind", "gate_stopped")
    for member in scene.world.organisations:
        member.ledger.expect(None)
    scene.world.send((scene.world.operator, revocation))
    gateway.healed = True
    patiently(lambda: scene.refused().code, lambda code: code == "revoked")
