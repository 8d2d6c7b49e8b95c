from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.mirror.support import OPEN


@pytest.fixture(autouse=True)
def _close_databases() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()
