from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.chains import DoubleChain, EvmChain, FabricChain
from tests.support.validators import ValidatorChain
from tests.support.world import World, build_world

RealChain = EvmChain | ValidatorChain | FabricChain
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


@pytest.fixture(params=DRIVERS[1:])
def real_chain(request: pytest.FixtureRequest) -> RealChain:
    """Each real ledger in turn, for cases that compare it with the double."""
    chain: RealChain = request.getfixturevalue(f"{request.param}_chain")
    return chain


def _chain(request: pytest.FixtureRequest) -> DoubleChain | RealChain:
    if request.param == "memory":
        return DoubleChain()
    chain: RealChain = request.getfixturevalue(f"{request.param}_chain")
    return chain
