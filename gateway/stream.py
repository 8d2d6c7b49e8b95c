"""Server-sent events: how often we look, and how a stream ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

POLL_SECONDS = 0.5
# Ended by us now and then, so that a caller whose session is over does not listen on; clients connect again by themselves.
LONGEST_SECONDS = 600.0


async def ticks(seconds: float) -> AsyncIterator[None]:
    """One tick now and one every half second until the time is over."""
    until = time.monotonic() + min(seconds, LONGEST_SECONDS)
    while True:
        yield
        if time.monotonic() >= until:
            return
        await asyncio.sleep(POLL_SECONDS)


def resume_point(last_event_id: str | None) -> int | None:
    """The number in a Last-Event-ID header, if it is one."""
    return int(last_event_id) if last_event_id and last_event_id.isdigit() and len(last_event_id) < 19 else None
