"""One command that runs every process of the embedded profile and stops all of them.

Order matters: the node first, then what reads it. A child that dies is started again with growing pauses; the fifth death
within a minute stops everything, because a platform that is half there must not look whole. Children die with the
supervisor, even when it is killed (Linux ``PR_SET_PDEATHSIG``).
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from core.errors import ForPeople
from network.attach import attached

DEATHS_ALLOWED = 5
DEATHS_WINDOW_SECONDS = 60.0
STOP_SECONDS = 15.0


class SupervisorError(ForPeople):
    """Something that must run does not; the message says which, why, and where its log is."""


@dataclass(frozen=True)
class Service:
    """One process: how to start it, and how to know that it is ready.

    ``ready`` answers True once it is; False, OSError or ValueError mean "ask again".
    """

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=dict)
    ready_seconds: float = 240.0


@dataclass
class Child:
    """A running service."""

    service: Service
    process: subprocess.Popen[bytes]
    deaths: deque[float] = field(default_factory=deque)


class Supervisor:
    """Runs services under one home directory. Use as a context manager: leaving it stops every child."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.children: dict[str, Child] = {}
        self._lock: IO[str] | None = None

    def __enter__(self) -> Supervisor:
        run = self.home / "run"
        run.mkdir(parents=True, exist_ok=True)
        (self.home / "logs").mkdir(exist_ok=True)
        lock = (run / "supervisor.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise SupervisorError(
                f"already running under {self.home}: `healthtrust status` shows it, `healthtrust down` stops it"
            ) from None
        self._lock = lock
        (run / "supervisor.pid").write_text(str(os.getpid()))
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        (self.home / "run" / "supervisor.pid").unlink(missing_ok=True)
        (self.home / "run" / "services.json").unlink(missing_ok=True)
        if self._lock:
            self._lock.close()

    def log_path(self, name: str) -> Path:
        """Where a service's output goes."""
        return self.home / "logs" / f"{name}.log"

    def start(self, services: Iterable[Service]) -> None:
        """Start services together and wait until each is ready.

        Raises SupervisorError naming the one that is not, with its last words.
        """
        with self.starting(services):
            pass

    @contextmanager
    def starting(self, services: Iterable[Service]) -> Iterator[None]:
        """Start services together, run the block meanwhile, then wait as :meth:`start` does."""
        batch = list(services)
        for service in batch:
            self.children[service.name] = Child(service, self._spawn(service))
        self._write_state()
        yield
        for service in batch:
            self._wait_ready(service)

    def _spawn(self, service: Service) -> subprocess.Popen[bytes]:
        with self.log_path(service.name).open("ab") as log:
            return subprocess.Popen(
                attached(service.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **service.environment},
                # So that Ctrl-C in the terminal reaches only the supervisor, which then stops children in order.
                process_group=0,
            )

    def _wait_ready(self, service: Service) -> None:
        deadline = time.monotonic() + service.ready_seconds
        while time.monotonic() < deadline:
            if self.children[service.name].process.poll() is not None:
                break
            if _is_ready(service):
                return
            time.sleep(0.1)
        code = self.children[service.name].process.poll()
        state = f"ended with code {code}" if code is not None else f"was not ready after {service.ready_seconds:.0f} s"
        raise SupervisorError(
            f"{service.name} {state}. Its last words:\n{self.last_words(service.name)}\nWhole log: {self.log_path(service.name)}"
        )

    def last_words(self, name: str, lines: int = 15) -> str:
        """The end of a service's log."""
        path = self.log_path(name)
        return "\n".join(path.read_text("utf-8", "replace").splitlines()[-lines:]) if path.exists() else "(no log)"

    def watch(self, until: Callable[[], bool]) -> None:
        """Keep every child alive until ``until()`` is true. Raises SupervisorError when one dies too often."""
        while not until():
            for child in self.children.values():
                if child.process.poll() is not None:
                    self._revive(child)
            time.sleep(0.25)

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Keep every child alive while the block runs. Raises SupervisorError after it when one died too often."""
        over, failed = threading.Event(), []

        def keep() -> None:
            try:
                self.watch(over.is_set)
            except SupervisorError as error:
                failed.append(error)

        keeper = threading.Thread(target=keep, name="supervisor", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join()
        if failed:
            raise failed[0]

    def _revive(self, child: Child) -> None:
        now = time.monotonic()
        child.deaths.append(now)
        while child.deaths and now - child.deaths[0] > DEATHS_WINDOW_SECONDS:
            child.deaths.popleft()
        if len(child.deaths) >= DEATHS_ALLOWED:
            name = child.service.name
            raise SupervisorError(f"{name} died {DEATHS_ALLOWED} times within a minute. Its last words:\n{self.last_words(name)}")
        time.sleep(min(5.0, 0.2 * 2 ** len(child.deaths)))
        child.process = self._spawn(child.service)
        self._write_state()

    def stop(self) -> None:
        """Stop every child, last started first; what does not end in time is killed."""
        for child in reversed(self.children.values()):
            _end(child.process)
        self.children.clear()

    def _write_state(self) -> None:
        state = {name: child.process.pid for name, child in self.children.items()}
        tmp = self.home / "run" / "services.tmp"
        tmp.write_text(json.dumps(state))
        tmp.replace(self.home / "run" / "services.json")


def _is_ready(service: Service) -> bool:
    try:
        return service.ready()
    except (OSError, ValueError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def python(*arguments: str) -> tuple[str, ...]:
    """A command line for this very interpreter."""
    return (sys.executable, *arguments)


def running(home: Path) -> dict[str, Any] | None:
    """What runs under a home directory: ``{"supervisor": pid, "services": {name: pid}}``, or None."""
    try:
        pid = int((home / "run" / "supervisor.pid").read_text())
        os.kill(pid, 0)
        services = json.loads((home / "run" / "services.json").read_text())
    except (OSError, ValueError):
        return None
    return {"supervisor": pid, "services": services}


def down(home: Path) -> bool:
    """Ask the supervisor of a home directory to stop and wait for it; False if none runs."""
    state = running(home)
    if state is None:
        return False
    os.kill(state["supervisor"], signal.SIGTERM)
    deadline = time.monotonic() + 4 * STOP_SECONDS
    while running(home) is not None:
        if time.monotonic() > deadline:
            raise SupervisorError(f"the supervisor (process {state['supervisor']}) does not stop; see {home}/logs")
        time.sleep(0.1)
    return True
