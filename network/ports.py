"""Ports for a network that must find the same ports free after every restart.

They lie below the range from which the system takes ports for outgoing connections, come as one block, and are claimed with a
lock file, so that two networks made at the same time, or one that is down for a moment, do not take each other's.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

BLOCK = 100
_FIRST, _END = 15000, 31950


class Claim:
    """A block of ``BLOCK`` ports from ``first`` on, ours until ``release`` or the end of this process."""

    def __init__(self, first: int, lock: IO[str]) -> None:
        self.first = first
        self._lock = lock

    def release(self) -> None:
        """Let others have them."""
        self._lock.close()


def claim() -> Claim:
    """Claim a block in which every port is free right now. Raises OSError when there is none."""
    starts = list(range(_FIRST, _END, BLOCK))
    random.shuffle(starts)
    for first in starts:
        taken = claim_again(first)
        if taken is None:
            continue
        if all(free(first + offset) for offset in range(BLOCK)):
            return taken
        taken.release()
    raise OSError("no block of free ports on this machine")


def claim_again(first: int) -> Claim | None:
    """Claim a known block; None when another process holds it."""
    folder = Path(tempfile.gettempdir()) / f"healthtrust-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = (folder / str(first)).open("a")
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return Claim(first, lock)
    lock.close()
    return None


def free(port: int) -> bool:
    """Whether nobody listens on a port of the loopback address."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
