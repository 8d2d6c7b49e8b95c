"""A program that ends when the process that started it does: ``attach.py PARENT PROGRAM …`` asks the kernel for that, then
becomes the program.

It is a program and not a function in a forked child: of a process with other threads a fork copies one, and what the others held
(gRPC's, for one) can end the child before it becomes anything.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress

_PR_SET_PDEATHSIG = 1


def attached(command: tuple[str, ...]) -> tuple[str, ...]:
    """A command line whose process ends with this one (Linux: with the thread that starts it). It keeps its process id."""
    return (sys.executable, "-IS", __file__, str(os.getpid()), *command)


def die_with_parent() -> None:
    """In a child: end (SIGTERM) when the parent does (Linux; elsewhere nothing)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def main(parent: str, *command: str) -> None:
    """Become the program, unless the parent is gone already."""
    die_with_parent()
    if os.getppid() == int(parent):
        os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
