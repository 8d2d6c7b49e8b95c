"""Waiting for a condition, never for a time: limits are generous, because machines are busy."""

from __future__ import annotations

import time
from collections.abc import Callable

LIMIT_SECONDS = 120.0


def until(what: Callable[[], object], seconds: float = LIMIT_SECONDS, pause: float = 0.05) -> None:
    """Return once ``what`` holds. AssertionError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"it did not come about within {seconds:.0f} s"
        time.sleep(pause)
