"""The demo told by the program as a person would start it: in a process of its own, with a home and ports of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from offchain.generator import generate

PORTS = 4
"""Gateway, node, two gates, in a row."""


def tell(folder: Path, settings: Mapping[str, str], seconds: float = 1400) -> Path:
    """Tell the story once on a few residents; the home it was told under. ``settings``: by their environment names."""
    generate(folder / "data", 7, 8)
    home = folder / "home"
    command = [sys.executable, "-c", "from healthtrust.cli import main; main()", "--home", str(home)]
    command += ["--port-base", str(_ports_in_a_row()), "demo", "--once", "--data", str(folder / "data")]
    told = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=seconds, check=False)
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-3000:]
    return home


def _ports_in_a_row() -> int:
    """Below the range from which the kernel hands ports to anybody."""
    for base in range(21_000 + os.getpid() % 1000 * 5, 32_000, PORTS):
        with ExitStack() as held:
            try:
                for port in range(base, base + PORTS):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return base
    raise AssertionError("no ports in a row are free")
