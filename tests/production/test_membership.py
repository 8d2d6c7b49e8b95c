"""From an empty host to a member, by the commands of docs/operations.md, each party in a home of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.keyring import load_or_create
from gateway.settings import load
from healthtrust import cli
from tests.support.chains import EvmChain

pytestmark = pytest.mark.node
OFFICE = "OFFICE-1"


class Host:
    """A party's host: its home, and its command line."""

    def __init__(self, home: Path, chain: EvmChain, *gates: str) -> None:
        home.mkdir()
        self.home, self.url = home, chain.url
        custodians = "".join(f'[[gates]]\ncode = "{code}"\nname = "{code}"\n' for code in gates)
        text = f'alliance = "{home.parent.name}"\n[office]\ncode = "{OFFICE}"\n[ledger]\nurl = "{chain.url}"\n{custodians}'
        (home / "settings.toml").write_text(text if gates else f"gates = []\n{text}")

    def run(self, *arguments: str, fails: bool = False) -> str:
        load.cache_clear()
        said: Result = CliRunner().invoke(cli.app, ["--home", str(self.home), *arguments])
        load.cache_clear()
        assert (said.exit_code != 0) == fails, f"{arguments}: {said.output} {said.exception!r}"
        return said.output.strip()


def test_hospitals_become_members_of_an_alliance(evm_chain: EvmChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTHTRUST_HOME", str(tmp_path))
    office = Host(tmp_path / "office", evm_chain)
    first, second = (Host(tmp_path / code, evm_chain, code) for code in ("H-1", "H-2"))
    assert office.run("alliance", "found") == office.run("alliance", "found"), "again it changes nothing"
    for host in (first, second):
        shutil.copyfile(office.home / "contracts.json", host.home / "contracts.json")

    cards = {code: first.home / f"{code}.json" for code in ("H-1", "H-2")}
    for host, (code, card) in zip((first, second), cards.items(), strict=True):
        card.write_text(host.run("alliance", "card", code))
        assert host.run("alliance", "standing", code, fails=True) == "none"
        ring = load_or_create(host.home / "custodians" / code / "keys.json", code)
        assert not [secret for secret in (ring.evm, ring.sm2, ring.wrap, ring.ids) if secret in card.read_text()]

    for command in (("rotate-account", "gateway"), ("rotate-account", OFFICE), ("rotate-signing-key", OFFICE)):
        assert "from now on" in office.run(*command)
    office.run("alliance", "invite", str(cards["H-1"]), "--as", OFFICE)
    assert first.run("alliance", "join", "H-1") == "active"
    proposal = office.run("alliance", "invite", str(cards["H-2"]), "--as", OFFICE)
    assert second.run("alliance", "standing", "H-2", fails=True) == "none", "one of two is no majority"
    assert first.run("alliance", "vote", proposal, "--as", "H-1") == "agreed"
    assert second.run("alliance", "join", "H-2") == "active"
    assert "DataIndex    version 1 at 0x" in second.run("contracts", "list")
    altered = first.home / "altered.json"
    altered.write_text(json.dumps({**json.loads(cards["H-1"].read_text()), "publicKey": "0x00"}))
    office.run("alliance", "invite", str(altered), "--as", OFFICE, fails=True)
