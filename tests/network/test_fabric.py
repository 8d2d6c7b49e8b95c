"""A real Fabric network of three organisations: transactions go on while a part is gone, nothing acknowledged is lost when every
process is killed, and members come and go while it runs."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from core import ids
from gateway.ledger.fabric.found import Founder, found
from gateway.ledger.fabric.gateway import Gateway
from gateway.ledger.fabric.identity import Identity, LocalSigner
from gateway.ledger.fabric.profile import Profile
from gateway.ledger.reasons import LedgerError
from network.binaries import built
from network.fabric import lifecycle
from network.fabric.network import FabricNetwork
from network.fabric.tools import as_admin
from network.processes import NetworkError, Processes
from tests.support.waiting import until

pytestmark = pytest.mark.fabric

PUBLIC = bytes.fromhex(
    "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
"""A point of the SM2 curve (GB/T 32918.5, appendix A)."""


@dataclass
class Members:
    """Founds alliances on a network, each a transaction of its own, and reads them at any member's peer."""

    network: FabricNetwork
    ledgers: dict[str, str] = field(default_factory=dict)
    _number: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def found(self, msp: str = "Org1MSP") -> str:
        """The name of a new alliance, founded by a member of one organisation."""
        name = f"alliance{next(self._number)}"
        self.network.commit_chaincode(name)
        gateway = self.gateway(msp)
        founder = Founder(ids.organisation_id("a-hospital"), "a-hospital", PUBLIC, 1)
        try:
            until(lambda: self._founded(gateway, name, founder))
        finally:
            gateway.close()
        return name

    def ledger(self, name: str, member: str) -> str:
        """The alliance's ledger id as a member's own peer has it (the Gateway would ask another's); empty while it does not."""
        organisation, call = self.network.layout.organisation(member), json.dumps({"Args": ["Alliance.ledgerId", "{}"]})
        try:
            return as_admin(organisation, "chaincode", "query", "-C", "health", "-n", name, "-c", call).strip()
        except NetworkError:
            return ""

    def holds(self, member: str) -> bool:
        """Whether a member's peer has everything that was acknowledged so far."""
        return all(self.ledger(name, member) == known for name, known in self.ledgers.items())

    def gateway(self, msp: str) -> Gateway:
        profile = Profile.read(self.network.profile)
        key = ec.generate_private_key(ec.SECP256R1())
        identity = Identity(msp, self.network.issue(msp, "tester", key.public_key()), LocalSigner(key))
        return Gateway(identity, profile.channel, profile.own(msp), 60.0)

    def _founded(self, gateway: Gateway, name: str, founder: Founder) -> bool:
        """Try once. What failed on the way may have been done all the same."""
        try:
            self.ledgers[name] = '"0x' + found(gateway, name, name, founder).ledger_id.hex() + '"'
        except LedgerError as error:
            if "AlreadyFounded" not in str(error):
                return False
            self.ledgers[name] = gateway.evaluate(gateway.propose(name, [b"Alliance.ledgerId", b"{}"])).decode()
        return True


@pytest.fixture(scope="module", params=["raft", "bft"])
def network(request: pytest.FixtureRequest) -> Iterator[FabricNetwork]:
    with tempfile.TemporaryDirectory(prefix="fabric network ") as home:
        made = FabricNetwork(Path(home) / "home", consensus=request.param)
        try:
            made.start()
            yield made
        finally:
            made.stop()
            assert Processes(made.home).running() == []


@pytest.fixture(scope="module")
def every(network: FabricNetwork) -> Members:
    return Members(network)


@pytest.fixture
def members(every: Members) -> Members:
    """The network whole, whatever the test before did to it."""
    every.network.heal()
    return every


def test_what_one_member_wrote_every_member_reads(members: Members) -> None:
    members.found("Org1MSP")
    members.found("Org3MSP")
    until(lambda: all(members.holds(name) for name in ("org1", "org2", "org3")))
    until(lambda: members.network.status()["ready"])


def test_transactions_go_on_without_a_peer_and_the_leading_orderer_and_both_catch_up(members: Members) -> None:
    network = members.network
    network.kill("leader", "org2.peer")
    assert not network.status()["ready"]
    members.found("Org3MSP")
    network.heal()
    until(lambda: members.holds("org2"))


def test_a_member_whose_chaincode_is_gone_is_passed_over_and_comes_back(members: Members) -> None:
    members.network.kill("org3.chaincode")
    name = members.found("Org1MSP")
    assert members.ledger(name, "org3") == ""
    gateway = members.gateway("Org3MSP")
    with pytest.raises(grpc.RpcError):
        gateway.evaluate(
            gateway.propose(name, [b"Alliance.ledgerId", b"{}"])
        )  # a read is never answered by another member's peer
    gateway.close()
    members.network.heal()
    until(lambda: members.holds("org3"))


def test_nothing_acknowledged_is_lost_when_every_process_is_killed_at_once(members: Members) -> None:
    network = members.network
    before = network.status()["parts"]
    network.kill(*(part["name"] for part in before))
    assert all(part["pid"] is None and part["height"] is None for part in network.status()["parts"])
    network.start()
    until(lambda: all(members.holds(name) for name in ("org1", "org2", "org3")))
    until(lambda: FabricNetwork(network.home).status()["ready"])  # as another process that has the home sees it
    members.found()


def test_a_changed_program_is_a_new_definition_that_keeps_the_state(members: Members, tmp_path: Path) -> None:
    network = members.network
    name = members.found()
    changed = tmp_path / "chaincode"
    shutil.copy(built("chaincode"), changed)
    with changed.open("ab") as f:
        f.write(b"changed")
    network.chaincode = changed
    network.commit_chaincode(name)
    network.commit_chaincode(name)
    network.chaincode = None
    there = lifecycle.committed(network.layout, network.layout.organisation("org2"))
    assert (there[name].sequence, there[name].version) == (2, lifecycle.version_of(changed))
    until(lambda: members.holds("org2"))


def test_an_organisation_joins_reads_what_was_before_it_leaves_and_comes_back(members: Members) -> None:
    network = members.network
    network.add_organisation("clinic")
    until(lambda: members.holds("clinic"))
    members.found("ClinicMSP")
    gateway = members.gateway("ClinicMSP")
    network.remove_organisation("clinic")
    until(lambda: network.status()["ready"])
    name = next(iter(members.ledgers))
    refused = Gateway(gateway.identity, gateway.channel, members.gateway("Org1MSP").peers, 60.0)
    with pytest.raises(grpc.RpcError, match=r"access denied|creator org unknown"):
        refused.evaluate(refused.propose(name, [b"Alliance.ledgerId", b"{}"]))
    refused.close()
    gateway.close()
    members.found()
    network.add_organisation("clinic")
    until(lambda: members.holds("clinic"))
    network.remove_organisation("clinic")


def test_names_that_are_not_there_are_refused_by_name(members: Members) -> None:
    network = members.network
    with pytest.raises(NetworkError, match=r"no part org9.peer; there are orderer1"):
        network.kill("org9.peer")
    with pytest.raises(NetworkError, match="no organisation org9"):
        network.remove_organisation("org9")
    with pytest.raises(NetworkError, match="there is an organisation org1 already"):
        network.add_organisation("org1")


def test_no_network_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="start one first"):
        FabricNetwork(tmp_path).status()
