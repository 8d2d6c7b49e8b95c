"""Validators killed with -9, one, two, all: the chain goes on, or stops and says so; nothing acknowledged is lost or doubled.
The last test changes who the validators are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import urllib3
from sqlalchemy.orm import Session, sessionmaker

from core.crypto import sm3
from core.decision import Outcome
from core.decision import Reason as DecisionReason
from core.words import kind_word
from gateway.ledger import actions, outbox
from gateway.ledger.db import open_sessions
from gateway.ledger.evm.open import Limits
from gateway.ledger.outbox import SUCCEEDED, Operation
from gateway.ledger.port import Call
from gateway.ledger.reasons import LedgerError, Reason
from network.evm.genesis import Node
from network.evm.validators import ValidatorNetwork
from network.processes import NetworkError
from tests.support.validators import ValidatorChain
from tests.support.waiting import until
from tests.support.world import World, build_world

pytestmark = [pytest.mark.validators, pytest.mark.timeout(600)]
KIND = kind_word("test")
OLD_SECONDS = 5.0
Sessions = sessionmaker[Session]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """An alliance on four validators that these tests may kill; each test leaves them whole."""
    chain = ValidatorChain(limits=Limits(timeout=60.0, max_head_age=OLD_SECONDS))
    try:
        made = build_world(chain)
        yield made
        made.close()
    finally:
        chain.close()


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    made = open_sessions(f"sqlite:///{tmp_path / 'outbox.db'}", outbox.metadata)
    yield made
    made.kw["bind"].dispose()


def chain_of(world: World) -> ValidatorChain:
    assert isinstance(world.chain, ValidatorChain)
    return world.chain


def recorded(world: World) -> int:
    """Effects on the ledger."""
    count: int = world.ledger.read(Call("Evidence", "countOf", {"organisation": world.operator.id}))
    return count


def put(sessions: Sessions, name: str, count: int) -> None:
    """Acknowledge so many writes."""
    with sessions.begin() as session:
        for n in range(count):
            call = Call("Evidence", "record", {"kind": KIND, "digest": sm3(f"{name} {n}".encode())})
            outbox.enqueue(session, f"{name} {n}", "test", call)


def work(world: World, sessions: Sessions) -> None:
    """One pass of the worker; an outage is waited out, as workers do."""
    with suppress(LedgerError):
        outbox.work(sessions, world.ledger)


def all_done(world: World, sessions: Sessions) -> bool:
    work(world, sessions)
    with sessions() as session:
        return {op.state for op in session.query(Operation)} == {SUCCEEDED}


def assert_one_history(world: World) -> None:
    """Every validator has the same block at the operator's head, and gives the same answer there."""
    chain = chain_of(world)
    until(lambda: not chain.refuses(0, Reason.BEHIND))
    head = world.ledger.head()
    question = Call("Evidence", "countOf", {"organisation": world.operator.id})
    everybody = range(len(chain.network.names))
    until(lambda: all(chain.height(number) >= head.height for number in everybody))
    for number in everybody:
        with chain.seen_from(number) as ledger:
            assert ledger.block(head.height) == head
            assert ledger.read(question, at=head.hash) == world.ledger.read(question, at=head.hash)


def test_one_killed_the_others_go_on_and_it_catches_up(world: World, sessions: Sessions) -> None:
    network, before = chain_of(world).network, recorded(world)
    network.kill("validator4")
    put(sessions, "one", 10)
    until(lambda: all_done(world, sessions))
    assert not network.status()["ready"]
    network.heal()
    assert network.status()["ready"]
    assert recorded(world) == before + 10
    assert_one_history(world)


def test_the_leader_killed_another_leads(world: World, sessions: Sessions) -> None:
    network, before = chain_of(world).network, recorded(world)
    put(sessions, "leader", 10)
    work(world, sessions)
    network.kill("leader")
    network.heal()
    until(lambda: all_done(world, sessions))
    assert recorded(world) == before + 10
    assert_one_history(world)


def test_two_killed_nothing_is_decided_until_one_is_back(world: World, sessions: Sessions) -> None:
    network, before = chain_of(world).network, recorded(world)
    network.kill("validator3", "validator4")
    until(lambda: chain_of(world).refuses(0, Reason.BEHIND))
    stopped = chain_of(world).height(0)
    put(sessions, "two", 10)
    work(world, sessions)
    with sessions() as session:
        assert SUCCEEDED not in {op.state for op in session.query(Operation)}
    assert chain_of(world).height(0) == stopped
    network.start_some("validator3")
    until(lambda: all_done(world, sessions))
    network.heal()
    assert recorded(world) == before + 10
    assert_one_history(world)


def test_all_killed_while_they_write_come_back_with_everything(world: World, sessions: Sessions) -> None:
    network, before = chain_of(world).network, recorded(world)
    for round_ in range(3):
        put(sessions, f"all {round_}", 20)
        work(world, sessions)
        network.kill(*network.names)
        assert {part["pid"] for part in network.status()["parts"]} == {None}
        network.heal()
    until(lambda: all_done(world, sessions))
    assert recorded(world) == before + 60
    assert_one_history(world)


def test_a_validator_that_lags_is_refused(world: World) -> None:
    """It comes back alone, with nobody to catch up from: its answers are of the past, and nothing is decided on them."""
    chain, network = chain_of(world), chain_of(world).network
    network.kill(*network.names)
    network.start_some("validator4")
    until(lambda: chain.refuses(3, Reason.BEHIND))
    network.heal()
    with chain.seen_from(3) as ledger:
        until(lambda: not chain.refuses(3, Reason.BEHIND))
        assert ledger.read(Call("Alliance", "name")) == world.name


def votes(network: ValidatorNetwork) -> list[int]:
    """Power of every validator, as each of their nodes has it."""
    found = {tuple(powers_at(node)) for node in network.layout.nodes}
    assert len(found) == 1
    return list(found.pop())


def powers_at(node: Node) -> list[int]:
    answer = urllib3.request("GET", f"http://{node.comet}/validators?per_page=100").json()["result"]
    return [int(validator["voting_power"]) for validator in answer["validators"]]


def test_an_organisation_joins_another_is_suspended_put_out_and_comes_back(world: World, sessions: Sessions) -> None:
    """In the alliance and on the network: who is suspended is refused with the block that says so, who is put out has no vote and
    no peers, and what was written stays."""
    chain, network, before = chain_of(world), chain_of(world).network, recorded(world)
    resident, doctor = world.resident(), world.practitioner(world.hospital)
    consent = world.grant(resident, world.scope(resident, doctor))
    asked = world.request(resident, doctor, world.platform)
    put(sessions, "members", 10)
    work(world, sessions)

    network.add_organisation("clinic")
    until(lambda: len(votes(network)) == 5)
    assert len(set(votes(network))) == 1
    assert_one_history(world)

    assert world.decide(asked, consent)["outcome"] == Outcome.PERMIT
    proposal = world.send((world.operator, actions.suspend(world.hospital.id)))[0].events[0].args["proposal"]
    world.send((world.platform, actions.vote(proposal)))
    assert world.decide(asked, consent)["reason"] == DecisionReason.ORGANISATION_INACTIVE
    network.remove_organisation("validator4")
    until(lambda: len(votes(network)) == 4)
    assert network.status()["ready"]
    with pytest.raises(NetworkError, match="cannot bear one that fails"):
        network.remove_organisation("clinic")
    assert_one_history(world)

    network.add_organisation("validator4")
    until(lambda: len(votes(network)) == 5)
    proposal = world.send((world.operator, actions.restore(world.hospital.id)))[0].events[0].args["proposal"]
    world.send((world.platform, actions.vote(proposal)))
    assert world.decide(asked, consent)["outcome"] == Outcome.PERMIT
    until(lambda: all_done(world, sessions))
    assert recorded(world) == before + 10
    assert chain.height(4) > 0
    assert_one_history(world)


def test_names_that_cannot_be_taken_are_refused(world: World) -> None:
    network = chain_of(world).network
    with pytest.raises(NetworkError, match="there is an organisation validator1 already"):
        network.add_organisation("validator1")
    with pytest.raises(NetworkError, match="no name for an organisation"):
        network.add_organisation("../clinic")
    with pytest.raises(NetworkError, match="no organisation nobody; there are validator1"):
        network.remove_organisation("nobody")
