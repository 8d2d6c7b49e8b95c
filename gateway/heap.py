"""The garbage collector of a process that serves or follows for a long time."""

from __future__ import annotations

import gc


def collect_rarely() -> None:
    """Keep the cyclic collector away from what lives as long as the process, and from the rest more often than not: a full look
    at the heap stops every request in flight and costs a tenth of catching up, and neither a request nor a block's events leave
    cycles behind. Reference counts free them as before."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
