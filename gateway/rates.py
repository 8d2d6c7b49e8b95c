"""How often somebody may ask: a bucket for each name, in this process alone."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable


class Rates:
    """Requests a minute by caller: a bucket that refills evenly. Kept in this process; with n server processes the limit
    is n-fold."""

    MOST_CALLERS = 50_000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, per_minute: int) -> bool:
        """Whether one more request of ``name`` is within ``per_minute``."""
        now = self._clock()
        with self._lock:
            left, since = self._buckets.pop(name, (float(per_minute), now))
            left = min(float(per_minute), left + (now - since) * per_minute / 60)
            allowed = left >= 1
            self._buckets[name] = (left - 1 if allowed else left, now)
            if len(self._buckets) > self.MOST_CALLERS:
                self._buckets.popitem(last=False)
        return allowed


def pause(per_minute: int) -> int:
    """Seconds after which an empty bucket has a request again (``Retry-After``)."""
    return math.ceil(60 / per_minute)
