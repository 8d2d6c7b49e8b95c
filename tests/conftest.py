"""Fixtures every room may use. A node, a database server and the compiled contracts are real; each is started once a session.

=================== ====================================================================================================
``evm_chain``       a real EVM node on a free port (session)
``validators_chain`` four real EVM validators (session; built from Go modules the first time)
``fabric_chain``    a real Fabric network of three organisations (session; built from Go modules the first time)
``world``           a fresh alliance on it: operator, two custodians (``tests/support/world.py``)
``shared_world``    one alliance for a whole session, for tests that only add to it
``chain``           each ledger driver in turn, for conformance tests
``postgres_url``    a real PostgreSQL server (session), one fresh database a test
``database_url``    SQLite and PostgreSQL in turn, an empty database
=================== ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chains import DoubleChain, EvmChain, FabricChain
from tests.support.postgres import Server, unavailable
from tests.support.validators import ValidatorChain
from tests.support.world import World, build_world


@pytest.fixture(scope="session")
def evm_chain() -> Iterator[EvmChain]:
    chain = EvmChain()
    yield chain
    chain.close()


@pytest.fixture(scope="session")
def validators_chain() -> Iterator[ValidatorChain]:
    chain = ValidatorChain()
    yield chain
    chain.close()


@pytest.fixture(scope="session")
def fabric_chain() -> Iterator[FabricChain]:
    chain = FabricChain()
    yield chain
    chain.close()


@pytest.fixture(params=["memory", pytest.param("evm", marks=pytest.mark.node)])
def chain(request: pytest.FixtureRequest) -> Iterator[EvmChain | DoubleChain]:
    if request.param == "evm":
        yield request.getfixturevalue("evm_chain")
        return
    double = DoubleChain()
    yield double
    double.close()


@pytest.fixture
def world(evm_chain: EvmChain) -> Iterator[World]:
    made = build_world(evm_chain)
    yield made
    made.close()


@pytest.fixture(scope="session")
def shared_world(evm_chain: EvmChain) -> Iterator[World]:
    made = build_world(evm_chain)
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    reason = unavailable()
    if reason:
        pytest.skip(reason)
    server = Server.start()
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres: Server) -> Iterator[str]:
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
