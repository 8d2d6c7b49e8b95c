"""A gateway over the in-memory ledger: real services, real SQLite, real migrations; the worker runs inside the request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.house import House, build_house
from tests.support.chains import DoubleChain


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    chain = DoubleChain()
    made = build_house(chain, tmp_path / "home")
    yield made
    made.close()
    chain.close()
