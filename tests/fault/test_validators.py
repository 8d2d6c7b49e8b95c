"""Validators killed with -9, one, two, all: the chain goes on, or stops and says so; nothing acknowledged is lost or doubled.
The last test changes who the validators are."""

from __future__ import annotations

import pytest
import urllib3

from core.decision import Outcome
from core.decision import Reason as DecisionReason
from gateway.ledger import actions
from gateway.ledger.outbox import SUCCEEDED, Operation
from gateway.ledger.port import Call
from gateway.ledger.reasons import Reason
from network.evm.genesis import Node
from network.evm.validators import ValidatorNetwork
from network.processes import NetworkError
from tests.fault.at_work import Sessions, all_done, assert_one_history, chain_of, put, recorded, work
from tests.support.waiting import until
from tests.support.world import World

pytestmark = [pytest.mark.validators, pytest.mark.timeout(600)]


def test_one_killed_the_others_go_on_and_it_catches_up(consortium: World, sessions: Sessions) -> None:
    network, before = chain_of(consortium).network, recorded(consortium)
    network.kill("validator4")
    put(sessions, "one", 10)
    until(lambda: all_done(consortium, sessions))
    assert not network.status()["ready"]
    network.heal()
    assert network.status()["ready"]
    assert recorded(consortium) == before + 10
    assert_one_history(consortium)


def test_the_leader_killed_another_leads(consortium: World, sessions: Sessions) -> None:
    network, before = chain_of(consortium).network, recorded(consortium)
    put(sessions, "leader", 10)
    work(consortium, sessions)
    network.kill("leader")
    network.heal()
    until(lambda: all_done(consortium, sessions))
    assert recorded(consortium) == before + 10
    assert_one_history(consortium)


def test_two_killed_nothing_is_decided_until_one_is_back(consortium: World, sessions: Sessions) -> None:
    network, before = chain_of(consortium).network, recorded(consortium)
    network.kill("validator3", "validator4")
    until(lambda: chain_of(consortium).refuses(0, Reason.BEHIND))
    stopped = chain_of(consortium).height(0)
    put(sessions, "two", 10)
    work(consortium, sessions)
    with sessions() as session:
        assert SUCCEEDED not in {op.state for op in session.query(Operation)}
    assert chain_of(consortium).height(0) == stopped
    network.start_some("validator3")
    until(lambda: all_done(consortium, sessions))
    network.heal()
    assert recorded(consortium) == before + 10
    assert_one_history(consortium)


def test_all_killed_while_they_write_come_back_with_everything(consortium: World, sessions: Sessions) -> None:
    network, before = chain_of(consortium).network, recorded(consortium)
    for round_ in range(3):
        put(sessions, f"all {round_}", 20)
        work(consortium, sessions)
        network.kill(*network.names)
        assert {part["pid"] for part in network.status()["parts"]} == {None}
        network.heal()
    until(lambda: all_done(consortium, sessions))
    assert recorded(consortium) == before + 60
    assert_one_history(consortium)


def test_a_validator_that_lags_is_refused(consortium: World) -> None:
    """It comes back alone, with nobody to catch up from: its answers are of the past, and nothing is decided on them."""
    chain, network = chain_of(consortium), chain_of(consortium).network
    network.kill(*network.names)
    network.start_some("validator4")
    until(lambda: chain.refuses(3, Reason.BEHIND))
    network.heal()
    with chain.seen_from(3) as ledger:
        until(lambda: not chain.refuses(3, Reason.BEHIND))
        assert ledger.read(Call("Alliance", "name")) == consortium.name


def votes(network: ValidatorNetwork) -> list[int]:
    """Power of every validator, as each of their nodes has it."""
    found = {tuple(powers_at(node)) for node in network.layout.nodes}
    assert len(found) == 1
    return list(found.pop())


def powers_at(node: Node) -> list[int]:
    answer = urllib3.request("GET", f"http://{node.comet}/validators?per_page=100").json()["result"]
    return [int(validator["voting_power"]) for validator in answer["validators"]]


def test_an_organisation_joins_another_is_suspended_put_out_and_comes_back(consortium: World, sessions: Sessions) -> None:
    """In the alliance and on the network: who is suspended is refused with the block that says so, who is put out has no vote and
    no peers, and what was written stays."""
    chain, network, before = chain_of(consortium), chain_of(consortium).network, recorded(consortium)
    resident, doctor = consortium.resident(), consortium.practitioner(consortium.hospital)
    consent = consortium.grant(resident, consortium.scope(resident, doctor))
    asked = consortium.request(resident, doctor, consortium.platform)
    put(sessions, "members", 10)
    work(consortium, sessions)

    network.add_organisation("clinic")
    until(lambda: len(votes(network)) == 5)
    assert len(set(votes(network))) == 1
    assert_one_history(consortium)

    assert consortium.decide(asked, consent)["outcome"] == Outcome.PERMIT
    proposal = consortium.send((consortium.operator, actions.suspend(consortium.hospital.id)))[0].events[0].args["proposal"]
    consortium.send((consortium.platform, actions.vote(proposal)))
    assert consortium.decide(asked, consent)["reason"] == DecisionReason.ORGANISATION_INACTIVE
    network.remove_organisation("validator4")
    until(lambda: len(votes(network)) == 4)
    assert network.status()["ready"]
    with pytest.raises(NetworkError, match="cannot bear one that fails"):
        network.remove_organisation("clinic")
    assert_one_history(consortium)

    network.add_organisation("validator4")
    until(lambda: len(votes(network)) == 5)
    proposal = consortium.send((consortium.operator, actions.restore(consortium.hospital.id)))[0].events[0].args["proposal"]
    consortium.send((consortium.platform, actions.vote(proposal)))
    assert consortium.decide(asked, consent)["outcome"] == Outcome.PERMIT
    until(lambda: all_done(consortium, sessions))
    assert recorded(consortium) == before + 10
    assert chain.height(4) > 0
    assert_one_history(consortium)


def test_names_that_cannot_be_taken_are_refused(consortium: World) -> None:
    network = chain_of(consortium).network
    with pytest.raises(NetworkError, match="there is an organisation validator1 already"):
        network.add_organisation("validator1")
    with pytest.raises(NetworkError, match="no name for an organisation"):
        network.add_organisation("../clinic")
    with pytest.raises(NetworkError, match="no organisation nobody; there are validator1"):
        network.remove_organisation("nobody")
