"""One node for all contract tests, and one for tests that change the alliance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.lab import Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Shared: a test may add to it, and must leave the first member alone, active and unfrozen."""
    made = Lab(tmp_path_factory.mktemp("lab"))
    yield made
    made.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Lab]:
    """An alliance of this test only."""
    made = Lab(tmp_path)
    yield made
    made.close()
