"""An alliance on the double, with a gateway or a gate before it. What is attacked here lies above the contracts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.house import House, build_house
from tests.offchain.gate_kit import GateKit
from tests.offchain.gate_scene import Scene
from tests.support.chains import DoubleChain
from tests.support.world import build_world


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    chain = DoubleChain()
    made = build_house(chain, tmp_path / "home")
    yield made
    made.close()
    chain.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    chain = DoubleChain()
    world = build_world(chain)
    kit = GateKit(world, tmp_path / "home")
    with kit.serve() as serving:
        yield Scene(kit, serving)
    world.close()
    chain.close()
