"""What a running platform has logged: JSON lines of every process, and nobody in them."""

from __future__ import annotations

import json

import pytest

from gateway.settings import Settings
from healthtrust import founding
from healthtrust.demo import sources
from healthtrust.demo.cast import PASSPHRASE
from offchain.keys import RegistrarKeys
from tests.browser.conftest import Platform

pytestmark = pytest.mark.browser


def logs(platform: Platform) -> dict[str, list[str]]:
    """Lines by process; the last one of a process may be in the middle of being written."""
    files = (platform.home / "logs").glob("*.log")
    return {file.stem: file.read_text("utf-8").split("\n")[:-1] for file in files}


def test_every_line_of_every_process_is_json(platform: Platform) -> None:
    written = logs(platform)
    gates = {f"gate-{gate.code}" for gate in Settings(home=platform.home).gates}
    assert {"gateway", "worker", "mirror", "node"} | gates == {name for name, lines in written.items() if lines}
    for name, lines in written.items():
        for line in lines:
            document = json.loads(line)
            assert {"event", "level", "timestamp"} <= set(document), (name, line)


def test_nobody_is_named(platform: Platform) -> None:
    """Neither people nor their pseudonyms, numbers, codes, and no secret of theirs."""
    private = {PASSPHRASE}
    settings = Settings(home=platform.home)
    office = RegistrarKeys(founding.registrar(settings).ring)
    for folder in sources.folders(settings, None).values():
        for person, subject in sources.people(settings, folder):
            private |= {person.name or "?", person.number or "?", subject.hex(), office.activation_code(subject)}
    for file in (platform.home / "demo" / "keys").glob("*.json"):
        private.add(json.loads(file.read_text("utf-8"))["keyid"].partition(":0x")[2])
    assert len(private) > 100
    private -= {"?"}
    for name, lines in logs(platform).items():
        text = "\n".join(lines)
        assert [p for p in private if p in text] == [], name
