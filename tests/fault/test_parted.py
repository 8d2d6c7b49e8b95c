"""One validator's disk is full, its clock is wrong, or organisations no longer hear each other: the chain goes on where enough
are left and stops where not. Afterwards nothing acknowledged is lost or doubled, and every organisation's copy is the same."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import urllib3

from core.decision import Outcome
from core.decision import Reason as DecisionReason
from gateway.ledger.outbox import SUCCEEDED, Operation
from gateway.ledger.reasons import Reason
from network.evm.validators import ValidatorNetwork
from tests.fault.at_work import Sessions, all_done, assert_one_history, chain_of, put, recorded, work
from tests.support.signer import SkewedSigner
from tests.support.waiting import until
from tests.support.wires import Wire
from tests.support.world import World

pytestmark = [pytest.mark.validators, pytest.mark.timeout(600)]
NO_MORE_BYTES = 4096
"""A limit on files that every file of a validator's database has passed: the next write to it fails."""


class Wires:
    """Every connection from one validator to another goes through one of these."""

    def __init__(self, network: ValidatorNetwork) -> None:
        nodes = network.layout.nodes
        self._wires = {(a.name, b.name): Wire(int(b.peer.rpartition(":")[2])) for a in nodes for b in nodes if a != b}
        self._files = {}
        for node in nodes:
            file = network.home / node.name / "config" / "config.toml"
            self._files[file] = text = file.read_text("utf-8")
            for other in nodes:
                if other != node:
                    text = text.replace(f"@{other.peer}", f"@127.0.0.1:{self._wires[node.name, other.name].port}")
            file.write_text(text, "utf-8")

    def part(self, *sides: set[str]) -> None:
        """Only those of one side hear each other."""
        side = {name: number for number, names in enumerate(sides) for name in names}
        for (a, b), wire in self._wires.items():
            if side[a] == side[b]:
                wire.mend()
            else:
                wire.cut()

    def close(self) -> None:
        """Connections are as the network made them again, once its nodes start anew."""
        for file, text in self._files.items():
            file.write_text(text, "utf-8")
        for wire in self._wires.values():
            wire.close()


@contextmanager
def wired(network: ValidatorNetwork) -> Iterator[Wires]:
    """The network with its connections in our hands; started anew before and after."""
    network.kill(*network.names)
    wires = Wires(network)
    try:
        network.heal()
        yield wires
    finally:
        network.kill(*network.names)
        wires.close()
        network.heal()


def test_organisations_that_do_not_hear_each_other(consortium: World, sessions: Sessions) -> None:
    """Three against one: the three go on, the one gives no answer. Two against two: nobody decides anything."""
    chain, network, before = chain_of(consortium), chain_of(consortium).network, recorded(consortium)
    resident, doctor = consortium.resident(), consortium.practitioner(consortium.hospital)
    consent = consortium.grant(resident, consortium.scope(resident, doctor))
    with wired(network) as wires:
        one, two, three, four = network.names
        wires.part({one, two, three}, {four})
        put(sessions, "parted", 10)
        until(lambda: all_done(consortium, sessions))
        consortium.revoke(resident, consent.consent)
        until(lambda: chain.refuses(3, Reason.BEHIND))
        wires.part({one, two}, {three, four})
        until(lambda: chain.refuses(0, Reason.BEHIND) and chain.refuses(2, Reason.BEHIND))
        stopped = max(chain.height(number) for number in range(4))
        put(sessions, "halved", 10)
        work(consortium, sessions)
        with sessions() as session:
            assert sum(op.state == SUCCEEDED for op in session.query(Operation)) == 10
        assert max(chain.height(number) for number in range(4)) == stopped
        wires.part({one, two, three, four})
        until(lambda: all_done(consortium, sessions))
    assert recorded(consortium) == before + 20
    assert consortium.decide(consortium.request(resident, doctor, consortium.platform), consent)["outcome"] == Outcome.DENY
    assert_one_history(consortium)


def test_a_disk_that_takes_no_more(consortium: World, sessions: Sessions) -> None:
    """The node whose disk is full falls behind or ends, and says nothing new; with room again it has everything."""
    chain, network, before = chain_of(consortium), chain_of(consortium).network, recorded(consortium)
    (full,) = (part for part in network.status()["parts"] if part["name"] == network.names[3])
    assert full["pid"] is not None
    resource.prlimit(full["pid"], resource.RLIMIT_FSIZE, (NO_MORE_BYTES, NO_MORE_BYTES))
    put(sessions, "full", 10)
    until(lambda: all_done(consortium, sessions))
    until(lambda: not chain.height(3) or chain.refuses(3, Reason.BEHIND))
    network.kill(full["name"])
    network.heal()
    assert recorded(consortium) == before + 10
    assert_one_history(consortium)


@contextmanager
def ahead(network: ValidatorNetwork, name: str, seconds: int, line: Path) -> Iterator[None]:
    """A validator whose clock is so much ahead; started anew before and after."""
    file = network.home / name / "config" / "config.toml"
    right = file.read_text("utf-8")
    wrong = right.replace('priv_validator_laddr = ""', f'priv_validator_laddr = "unix://{line}"')
    assert wrong != right
    network.kill(name)
    signer = SkewedSigner(network.home / name, line, seconds)
    try:
        file.write_text(wrong, "utf-8")
        network.heal()
        yield
    finally:
        network.kill(name)
        signer.close()
        file.write_text(right, "utf-8")
        network.heal()


def seconds_ahead(network: ValidatorNetwork) -> list[float]:
    """Of every vote in the newest commit, how far its time is ahead of our clock."""
    node = network.layout.nodes[0]
    answer = urllib3.request("GET", f"http://{node.comet}/commit").json()["result"]["signed_header"]["commit"]
    shown = [vote["timestamp"] for vote in answer["signatures"] if vote["signature"]]
    return [datetime.fromisoformat(text[:19] + "+00:00").timestamp() - time.time() for text in shown]


def test_a_clock_ten_minutes_ahead(consortium: World, sessions: Sessions) -> None:
    """Its votes say so, and the chain's time, which contracts judge periods by, does not move: it is the middle of all."""
    network, before = chain_of(consortium).network, recorded(consortium)
    resident, doctor = consortium.resident(), consortium.practitioner(consortium.hospital)
    ends = consortium.now() + 300
    consent = consortium.grant(resident, consortium.scope(resident, doctor, end=ends))
    with TemporaryDirectory() as home, ahead(network, network.names[3], 600, Path(home) / "line"):
        until(lambda: any(lead > 500 for lead in seconds_ahead(network)))
        put(sessions, "clock", 10)
        until(lambda: all_done(consortium, sessions))
        until(lambda: abs(consortium.now() - time.time()) < 60)
        ask = consortium.request(resident, doctor, consortium.platform)
        reason = consortium.decide(ask, consent)["reason"]
        assert reason == (DecisionReason.OK if consortium.now() < ends else DecisionReason.EXPIRED)
    assert recorded(consortium) == before + 10
    assert_one_history(consortium)
