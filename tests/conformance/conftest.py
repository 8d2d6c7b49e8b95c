from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.chains import DoubleChain, EvmChain, FabricChain
from tests.support.validators import ValidatorChain
from tests.support.world import World, build_world

DRIVERS = [
    "memory",
    pytest.param("evm", marks=pytest.mark.node),
    pytest.param("validators", marks=pytest.mark.validators),
    pytest.param("fabric", marks=pytest.mark.fabric),
]


@pytest.fixture(scope="session", params=DRIVERS)
def common(request: pytest.FixtureRequest) -> Iterator[World]:
    """One alliance a driver, for cases that only add to it."""
    made = build_world(_chain(request))
    yield made
    made.close()


@pytest.fixture(params=DRIVERS)
def fresh(request: pytest.FixtureRequest) -> Iterator[World]:
    """An alliance of its own, for cases that change members or freeze contracts."""
    made = build_world(_chain(request))
    yield made
    made.close()


def _chain(request: pytest.FixtureRequest) -> DoubleChain | EvmChain | ValidatorChain | FabricChain:
    if request.param == "memory":
        return DoubleChain()
    chain: EvmChain | ValidatorChain | FabricChain = request.getfixturevalue(f"{request.param}_chain")
    return chain
