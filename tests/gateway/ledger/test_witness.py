"""A second node that must say what our own says: agreement costs nothing, everything else is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.crypto import sm3
from core.words import kind_word
from gateway.ledger.evm import witness
from gateway.ledger.evm.ledger import EvmLedger
from gateway.ledger.evm.open import Deployment, Limits, connect
from gateway.ledger.port import Call
from gateway.ledger.reasons import LedgerError, Reason
from tests.conformance.refusals import reason_of
from tests.support.chains import EvmChain
from tests.support.lying import LyingNode, lying_node
from tests.support.world import World, build_world

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def world(evm_chain: EvmChain) -> Iterator[World]:
    made = build_world(evm_chain)
    yield made
    made.close()


@pytest.fixture
def other(evm_chain: EvmChain) -> Iterator[LyingNode]:
    with lying_node(evm_chain.url) as node:
        yield node


def opened(world: World, own: str, second: str) -> EvmLedger:
    assert isinstance(world.chain, EvmChain)
    founded = Deployment.read(world.contracts_file)
    return EvmLedger(connect(own, founded, world.operator.key, Limits(timeout=5.0, witness=second)))


def count(world: World) -> Call:
    return Call("Evidence", "countOf", {"organisation": world.operator.id})


def recorded(world: World) -> None:
    digest = sm3(b"witness")
    world.send((world.operator, Call("Evidence", "record", {"kind": kind_word("test"), "digest": digest})))


def test_two_that_agree_answer_and_refuse_as_one(world: World, other: LyingNode, evm_chain: EvmChain) -> None:
    ledger = opened(world, evm_chain.url, other.url)
    assert ledger.read(count(world)) == world.ledger.read(count(world))
    assert ledger.read(count(world), at=ledger.head().hash) == world.ledger.read(count(world))
    with pytest.raises(LedgerError, match="UnknownProposal"):
        ledger.read(Call("Alliance", "proposalOf", {"proposal": 10**6}))
    ledger.close()


@pytest.mark.parametrize("liar", ["own", "second"])
def test_whichever_of_two_lies_nothing_is_believed(world: World, other: LyingNode, evm_chain: EvmChain, liar: str) -> None:
    places = (other.url, evm_chain.url) if liar == "own" else (evm_chain.url, other.url)
    ledger = opened(world, *places)
    ledger.read(count(world))
    recorded(world)
    other.forgets = world.ledger.info().contracts["Evidence"]
    assert reason_of(lambda: ledger.read(count(world))) is Reason.ENDORSEMENT
    assert reason_of(lambda: ledger.read_many([Call("Alliance", "name"), count(world)])) is Reason.ENDORSEMENT
    other.forgets = None
    assert ledger.read(count(world)) == world.ledger.read(count(world))
    ledger.close()


def test_a_second_node_that_is_away_or_lacks_the_block_is_no_agreement(
    world: World, other: LyingNode, evm_chain: EvmChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = opened(world, evm_chain.url, other.url)
    monkeypatch.setattr(witness, "LATER_SECONDS", 0.2)
    another = EvmChain()
    try:
        ledger._ctx.witness = witness.Rpc(another.url, 5.0)
        assert reason_of(ledger.head) is Reason.BEHIND
        assert reason_of(lambda: ledger.read(count(world))) is Reason.BEHIND
    finally:
        another.close()
    assert reason_of(ledger.head) is Reason.UNREACHABLE
    ledger.close()


def test_an_opened_scope_is_not_shown_to_it(world: World, other: LyingNode, evm_chain: EvmChain) -> None:
    """Else the operator of another node would learn what was granted to whom."""
    asked: list[str] = []
    plain, other.answer = other.answer, lambda body: (asked.append(repr(body)), plain(body))[1]  # type: ignore[method-assign]
    ledger = opened(world, evm_chain.url, other.url)
    resident, doctor = world.resident(), world.practitioner(world.hospital)
    made = world.grant(resident, world.scope(resident, doctor))
    request = world.request(resident, doctor, world.platform)
    args = {"request": request, "consent": made.consent, "scopeWords": made.scope.words(), "salt": made.salt}
    one = ledger.read(Call("Consent", "decide", {**args, "time": world.now()}))
    many = ledger.read(Call("Consent", "decideMany", {"asks": [args], "time": world.now()}))
    assert (one["outcome"], [m["outcome"] for m in many]) == (1, [1])
    assert asked
    assert not any(made.salt.hex() in said for said in asked)
    ledger.close()
