"""A running platform with the demo's people, and Chromium.

``HEALTHTRUST_BROWSER_HOME`` and ``HEALTHTRUST_BROWSER_PORT`` name a platform that runs already (faster while at work).
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

from core import enrolment
from gateway.ledger.port import Call
from gateway.settings import Settings
from healthtrust import founding
from healthtrust.custody import custody
from healthtrust.demo import sources
from healthtrust.demo.cast import PASSPHRASE
from offchain.keys import RegistrarKeys

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ROOT = Path(__file__).parents[2]
START_SECONDS = 600


@dataclass(frozen=True)
class Newcomer:
    """A resident who has not opened an account yet, with what the counter gave them."""

    name: str
    number: str
    code: str
    later_code: str
    """What the counter gives out when the first seal is lost."""


@dataclass(frozen=True)
class Platform:
    """A running platform. ``url``: the gateway; ``doctor``: key file of a practitioner, opened by ``passphrase``."""

    url: str
    home: Path
    passphrase: str
    doctor: Path
    newcomers: Iterator[Newcomer]

    def waiting_key(self, subject: str) -> str | None:
        """The key that waits on the ledger to replace a subject's, or None."""
        answer = httpx.get(f"{self.url}/api/v1/identities/recoveries/{subject}", trust_env=False)
        assert answer.status_code in (httpx.codes.OK, httpx.codes.NOT_FOUND), answer.text
        found: str | None = answer.json().get("publicKey")
        return found


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    given = os.environ.get("HEALTHTRUST_BROWSER_HOME")
    if given:
        yield _describe(Path(given), int(os.environ.get("HEALTHTRUST_BROWSER_PORT", "8080")))
        return
    with tempfile.TemporaryDirectory(prefix="healthtrust-browser-") as folder, _started(Path(folder)) as port:
        yield _describe(Path(folder), port)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: apt-get install chromium fonts-noto-cjk")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class _started:  # noqa: N801 - reads as a verb where it is used
    """``healthtrust demo`` in a home of its own; stopped as Ctrl-C would."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __enter__(self) -> int:
        port = _free_ports()
        command = [sys.executable, "-c", "from healthtrust.cli import main; main()"]
        arguments = ["--home", str(self.home), "--port-base", str(port), "demo"]
        self.log = (self.home / "demo.log").open("w+")
        # Everybody here comes from one address within a minute, which the limit for people unknown is made to stop.
        environment = {**os.environ, "HEALTHTRUST_GATEWAY__OPEN_REQUESTS_PER_MINUTE": "600"}
        self.process = subprocess.Popen(command + arguments, cwd=ROOT, env=environment, stdout=self.log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_SECONDS
        while "/doctor/" not in (said := (self.home / "demo.log").read_text()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                pytest.fail(f"the platform did not start:\n{said[-4000:]}")
            time.sleep(0.5)
        return port

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        self.process.kill()
        self.process.wait()
        self.log.close()


def _free_ports() -> int:
    """The first of ten free ports in a row."""
    for base in random.sample(range(21000, 29000, 50), 160):
        with suppress(OSError), ExitStack() as stack:
            for port in range(base, base + 10):
                probe = stack.enter_context(socket.socket())
                probe.bind(("127.0.0.1", port))
            return base
    raise RuntimeError("no ten free ports in a row")


def _describe(home: Path, port: int) -> Platform:
    settings = Settings(home=home, port_base=port)
    wallet = home / "demo" / "keys"
    return Platform(settings.gateway.public_url, home, PASSPHRASE, wallet / "physician.json", iter(_newcomers(settings)))


def _newcomers(settings: Settings) -> list[Newcomer]:
    """Residents with records and no account, richest first."""
    with ExitStack() as stack:
        custodies = [stack.enter_context(custody(settings, gate.code)) for gate in settings.gates]
        people = sources.choose(settings, sources.folders(settings, None).values(), custodies)
    office = founding.registrar(settings)
    keys = RegistrarKeys(office.ring)
    with founding.ledger_of(settings, office) as ledger:
        bound = ledger.read_many([Call("Identity", "keyOf", {"subject": p.subject}) for p in people])
    fresh = [p for p, key in zip(people, bound, strict=True) if key["status"] == 0]
    secret = bytes.fromhex(office.ring.ids)
    return [
        Newcomer(p.name, p.number, keys.activation_code(p.subject), enrolment.activation_code(secret, p.subject, 1))
        for p in fresh
    ]
