"""``python -m mirror``: follow the chain until SIGTERM or SIGINT. Exit code 1: halted, and somebody has to look."""

from __future__ import annotations

import signal
import sys
import threading

from gateway.settings import load
from mirror.run import run


def main() -> int:
    """Run the follower of this process's settings."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return run(load(), stop)


if __name__ == "__main__":
    sys.exit(main())
