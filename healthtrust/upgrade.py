"""A contract's next version takes over by the alliance's vote (`healthtrust contracts …`, EVM).

A version is a contract of its own: its constructor takes what the one before took, and the one before
(`contracts/test/EvidenceNext.sol` shows how), so what that holds is read through it and nothing is copied. Order: every member
installs a program that knows both versions; one member deploys; the alliance freezes the old one and publishes the new one, in
this order, so that never two serve; every member follows. From the freezing on the old one refuses every write for good.
Contracts that others hold by address (SM2Verifier, Alliance, Registry, Identity) are not changed so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import update

from contracts.script.deploy import CONTRACTS, deploy_next
from core.errors import ForPeople
from gateway.ledger import actions, outbox
from gateway.ledger.factory import open_ledger
from gateway.ledger.port import Call
from gateway.settings import Settings
from healthtrust.attest import writer
from healthtrust.membership import proposed
from healthtrust.rotation import alone
from network.fabric.layout import write_whole

FIXED = ("SM2Verifier", "Alliance", "Registry", "Identity")


class UpgradeRefused(ForPeople):
    """Nothing was changed; the message says why."""


@dataclass(frozen=True)
class Serving:
    """What the Registry says of a duty: the contract's address, its version, and whether it is frozen."""

    name: str
    target: str
    version: int
    frozen: bool


def serving(settings: Settings) -> list[Serving]:
    """Every duty as the alliance published it. Raises LedgerError."""
    ledger = open_ledger(settings)
    try:
        entries = ledger.read(Call("Registry", "all"))
    finally:
        ledger.close()
    return [Serving(_name(e["name"]), e["target"].lower(), e["version"], e["frozen"]) for e in entries]


def deploy(settings: Settings, code: str, name: str, artifact: Path) -> str:
    """Put the next version of ``name`` on the chain from a member's account; its address. ``artifact``: as the build writes them.
    Its gate must not run meanwhile (it sends from the same account). Raises UpgradeRefused, DeployError, LedgerError."""
    if settings.ledger.kind != "evm" or name in FIXED or name not in CONTRACTS:
        raise UpgradeRefused(f"{name} is not replaced this way on {settings.ledger.kind}: see docs/operations.md, upgrades")
    with alone(settings, code), writer(settings, code) as (party, sessions, ledger):
        there = ledger.info().contracts
        takes = [there[needed] for needed in (*CONTRACTS[name], name)]
        compiled = json.loads(artifact.read_text("utf-8"))
        address = deploy_next(settings.ledger.url, party.ledger_key, compiled, takes)
        with sessions.begin() as session:
            session.execute(update(outbox.Lane).values(next_nonce=None))
        return address


def propose(settings: Settings, code: str, name: str, address: str = "", version: int = 0) -> int:
    """Propose to freeze ``name``, or, with an address, to publish its next version; the proposal's number. Raises LedgerError."""
    with writer(settings, code) as (party, sessions, ledger):
        registry = ledger.info().contracts["Registry"]
        wish = actions.publish(registry, name, address, version) if address else actions.freeze(registry, name)
        return proposed(party, sessions, ledger, wish)


def follow(settings: Settings) -> dict[str, str]:
    """Bring ``contracts.json`` to what the alliance published; name → address of those that changed. Processes see it when they
    start. Raises LedgerError."""
    path = settings.home / "contracts.json"
    document = json.loads(path.read_text("utf-8"))
    changed = {s.name: s.target for s in serving(settings) if s.target != document["contracts"].get(s.name, s.target).lower()}
    if changed:
        write_whole(path, json.dumps(_followed(document, changed), indent=1, sort_keys=True).encode())
    return changed


def _followed(document: Mapping[str, Any], changed: Mapping[str, str]) -> dict[str, Any]:
    before, former = document["contracts"], document.get("former", {})
    gone = {name: [*former.get(name, []), before[name].lower()] for name in changed}
    return {**document, "contracts": {**before, **changed}, "former": {**former, **gone}}


def _name(word: bytes) -> str:
    return word.rstrip(b"\0").decode("ascii")
