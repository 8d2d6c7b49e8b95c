"""Who must endorse what, and what a transaction carries, on a real Fabric network (ADR 0011)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from gateway.ledger.deployment import CONTRACTS
from gateway.ledger.fabric.codec import Codec
from gateway.ledger.fabric.gateway import Gateway
from gateway.ledger.fabric.proposal import Proposal
from gateway.ledger.port import Call
from tests.support.chains import FabricChain
from tests.support.world import World, build_world

pytestmark = pytest.mark.fabric


@dataclass
class Hospital:
    """A member's bare client, which chooses who endorses."""

    world: World
    gateway: Gateway
    chaincode: str
    others: list[str]

    def propose(self, call: Call) -> Proposal:
        invocation = Codec.load(list(CONTRACTS)).encode(call)
        return self.gateway.propose(self.chaincode, invocation.args, invocation.transient)

    def write(self, call: Call, endorsers: Sequence[str]) -> str:
        """Validation code of a write that these organisations endorsed."""
        proposed = self.propose(call)
        self.gateway.submit(proposed.id, self.gateway.endorse(proposed, endorsers))
        return self.gateway.commit_status(proposed.id, timeout=120.0).code


@pytest.fixture(scope="module")
def hospital(fabric_chain: FabricChain) -> Iterator[Hospital]:
    world = build_world(fabric_chain)
    identity = fabric_chain.identity(world.hospital.key)
    assert fabric_chain.deployment is not None
    gateway = fabric_chain.gateway(identity)
    others = [msp for msp in fabric_chain.profile.peers if msp != identity.msp]
    assert len(others) == 2, "two of three members are a majority"
    yield Hospital(world, gateway, fabric_chain.deployment.chaincode, others)
    gateway.close()
    world.close()


def batch(hospital: Hospital) -> Call:
    return hospital.world.batch(hospital.world.hospital, b"\1" * 32, 1)


def evidence(hospital: Hospital) -> Call:
    return Call("Evidence", "record", {"kind": b"\2" * 32, "digest": b"\3" * 32})


def receipts(hospital: Hospital) -> Call:
    held = hospital.world.ledger.read(Call("Access", "receiptsOf", {"organisation": hospital.world.hospital.id}))
    args = {"root": b"\4" * 32, "firstNumber": held["nextNumber"], "count": 1, "headHash": b"\5" * 32}
    return Call("Access", "record", args)


@pytest.mark.parametrize("register", [batch, evidence, receipts])
def test_no_majority_continues_a_members_register_without_it(hospital: Hospital, register: Callable[[Hospital], Call]) -> None:
    world = hospital.world
    world.send((world.hospital, register(hospital)))
    assert hospital.write(register(hospital), hospital.others) == "ENDORSEMENT_POLICY_FAILURE"
    own = hospital.gateway.identity.msp
    assert hospital.write(register(hospital), [own, hospital.others[0]]) == "VALID"


def test_what_is_nobodys_own_needs_a_majority_only(hospital: Hospital) -> None:
    request = Call("Access", "request", {"id": b"\6" * 32, "commitment": b"\7" * 32})
    assert hospital.write(request, hospital.others) == "VALID"


def test_an_opened_scope_is_in_no_transaction(hospital: Hospital) -> None:
    world = hospital.world
    resident = world.resident()
    doctor = world.practitioner(world.hospital)
    consent = world.grant(resident, world.scope(resident, doctor))
    asked = world.request(resident, doctor, world.hospital)
    words, salt = consent.scope.words(), consent.salt
    args = {"request": asked, "consent": consent.consent, "scopeWords": words, "salt": salt, "time": world.now()}
    proposed = hospital.propose(Call("Consent", "decide", args))
    assert salt.hex() in proposed.signed.SerializeToString().decode("latin-1")
    transaction = hospital.gateway.endorse(proposed).decode("latin-1")
    assert consent.consent.hex() in transaction
    assert words.hex() not in transaction
    assert salt.hex() not in transaction
