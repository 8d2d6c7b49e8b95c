"""The whole story on PostgreSQL too (the way of the tables: tests/healthtrust/test_revisions.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.house import build_house
from tests.scenarios import test_story as story
from tests.support.chains import DoubleChain


@pytest.mark.postgres
def test_the_story_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    chain = DoubleChain()
    house = build_house(chain, tmp_path / "home", database=postgres_url)
    story.test_the_story(house)
    house.close()
    chain.close()
