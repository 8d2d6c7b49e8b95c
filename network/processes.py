"""The processes of one network: started, found again, stopped and killed by name, from any process that has the home.

Each has a log (``logs/<name>.log``) and a note of its process id and birth (``run/<name>.json``): a number alone could by now be
somebody else's process.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import ForPeople
from network.attach import attached


class NetworkError(ForPeople):
    """A network could not be made, started or changed; the message says which part, why, and where its log is."""


@dataclass(frozen=True)
class Program:
    """One process to run: its part's name, command line, and what its environment holds besides ours."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


class Processes:
    """All processes under one home. ``attached``: they end when the process that started them does (Linux: when the thread does,
    so start them from one that lasts)."""

    def __init__(self, home: Path, attached: bool = True) -> None:
        self.home = home
        self.attached = attached
        self._own: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, program: Program) -> None:
        """Start a process, unless it runs already. Raises NetworkError when its program cannot be run."""
        if self.pid(program.name):
            return
        for folder in (self.log(program.name).parent, self._note(program.name).parent):
            folder.mkdir(parents=True, exist_ok=True)
        if shutil.which(program.command[0]) is None:
            raise NetworkError(f"{program.name} cannot be run: {program.command[0]} is not a program")
        command = attached(program.command) if self.attached else program.command
        environment = {**os.environ, **program.environment}
        with self.log(program.name).open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=self.home, start_new_session=True
            )
        self._own[program.name] = process
        self._note(program.name).write_text(json.dumps({"pid": process.pid, "born": _born(process.pid)}))

    def pid(self, name: str) -> int | None:
        """The process id of a part while it lives."""
        own = self._own.get(name)
        if own is not None and own.poll() is None:
            return own.pid
        try:
            note = json.loads(self._note(name).read_bytes())
        except (OSError, ValueError):
            return None
        return note["pid"] if note["born"] and _born(note["pid"]) == note["born"] else None

    def running(self) -> list[str]:
        """Names of all that live."""
        notes = (self.home / "run").glob("*.json")
        return sorted(note.stem for note in notes if self.pid(note.stem))

    def kill(self, names: Iterable[str]) -> None:
        """SIGKILL, all before any is waited for."""
        self._end(names, signal.SIGKILL, 10.0)

    def stop(self, names: Iterable[str], seconds: float = 20.0) -> None:
        """SIGTERM to all; SIGKILL to those that take longer than ``seconds``."""
        asked = list(names)
        self._end(asked, signal.SIGTERM, seconds)
        self._end(asked, signal.SIGKILL, 10.0)

    def _end(self, names: Iterable[str], how: signal.Signals, seconds: float) -> None:
        asked = [name for name in names if self.pid(name)]
        for name in asked:
            pid = self.pid(name)
            if pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, how)
        deadline = time.monotonic() + seconds
        while any(self.pid(name) for name in asked) and time.monotonic() < deadline:
            time.sleep(0.02)

    def log(self, name: str) -> Path:
        """Where a part's output goes."""
        return self.home / "logs" / f"{name}.log"

    def last_words(self, name: str, lines: int = 12) -> str:
        """The end of a part's log."""
        with suppress(OSError):
            return "\n".join(self.log(name).read_text("utf-8", "replace").splitlines()[-lines:])
        return "(no log)"

    def wait_for(self, what: str, reached: Callable[[], bool], seconds: float, needs: Iterable[str] = ()) -> None:
        """Wait until ``reached()``. Raises NetworkError after ``seconds``, or at once when a process that it ``needs`` has
        ended; with the last words of its log."""
        needed = list(needs)
        deadline = time.monotonic() + seconds
        while not reached():
            for name in needed:
                if not self.pid(name):
                    raise NetworkError(f"{name} ended before {what}. Its last words ({self.log(name)}):\n{self.last_words(name)}")
            if time.monotonic() > deadline:
                words = "\n".join(f"{name}: {self.last_words(name, 4)}" for name in needed)
                raise NetworkError(f"{what}: not reached within {seconds:.0f} s\n{words}")
            time.sleep(0.1)

    def _note(self, name: str) -> Path:
        return self.home / "run" / f"{name}.json"


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock file for as long as the block runs; others wait."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _born(pid: int) -> str:
    """When a process began (clock ticks since boot); empty when there is none, or only its remains."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else rest[18]
