"""A real node killed with -9 right after it acknowledged: the outbox notices and puts everything on again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from core.crypto import sm3
from core.words import kind_word
from gateway.ledger import outbox
from gateway.ledger.db import open_sessions
from gateway.ledger.evm.rpc import Rpc
from gateway.ledger.outbox import Operation
from gateway.ledger.port import Call
from gateway.ledger.reasons import LedgerError, Reason
from tests.support.chains import EvmChain
from tests.support.waiting import until
from tests.support.world import World, await_outcome, build_world, grant_call

pytestmark = pytest.mark.node
KIND = kind_word("test")


@pytest.fixture
def own_world(tmp_path: Path) -> Iterator[World]:
    """An alliance on a node of its own, which the test may kill."""
    chain = EvmChain(tmp_path / "chain", block_seconds=0.1)
    world = build_world(chain)
    yield world
    world.close()
    chain.close()


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[sessionmaker[Session]]:
    made = open_sessions(f"sqlite:///{tmp_path / 'outbox.db'}", outbox.metadata)
    yield made
    made.kw["bind"].dispose()


def evidence(n: int) -> Call:
    return Call("Evidence", "record", {"kind": KIND, "digest": sm3(n.to_bytes(4, "big"))})


def node_of(world: World) -> EvmChain:
    assert isinstance(world.chain, EvmChain)
    return world.chain


def put(sessions: sessionmaker[Session], key: str, call: Call) -> None:
    with sessions.begin() as session:
        outbox.enqueue(session, key, "test", call)


def waiting(sessions: sessionmaker[Session]) -> int:
    with sessions() as session:
        return len(list(session.scalars(select(Operation).where(Operation.state != "succeeded"))))


def work_until_settled(sessions: sessionmaker[Session], world: World) -> None:
    def settled() -> bool:
        outbox.work(sessions, world.ledger)
        return not waiting(sessions)

    until(settled, pause=0.02)


def digests(world: World) -> list[bytes]:
    height = node_of(world).node.health()["height"]
    return [e.args["digest"] for block in world.ledger.events(0, height, ["Evidence"]) for e in block]


def saved_state(chain: EvmChain) -> bytes:
    """A whole state file that holds every block there is now."""
    file, height = chain.node.home / "state.json", chain.node.health()["height"]
    content = b""

    def written() -> bool:
        nonlocal content
        with suppress(ValueError):
            content = file.read_bytes()
            return height_of(content) >= height
        return False

    until(written, pause=0.01)
    return content


def height_of(state: bytes) -> int:
    """The newest block of a state file. Raises ValueError when it is torn."""
    return max(int(block["header"]["number"], 16) for block in json.loads(state)["blocks"])


def restart_from(chain: EvmChain, state: bytes) -> None:
    """What a crash does, without depending on the moment: kill -9, then the state of an earlier second.

    Blocks without transactions would be made again with the same hashes within the same second: then nothing was lost.
    """
    rpc, heights = Rpc(chain.url, 30), range(height_of(state) + 1, chain.node.health()["height"] + 1)
    written = [rpc.call("eth_getBlockTransactionCountByNumber", hex(height)) for height in heights]
    rpc.close()
    assert any(int(count, 16) for count in written), "no write was lost: the test proves nothing"
    chain.node.kill()
    (chain.node.home / "state.json").write_bytes(state)
    chain.node.start()


def lose(sessions: sessionmaker[Session], world: World, calls: list[tuple[str, Call]]) -> None:
    """Have the calls acknowledged, then the node comes back without them."""
    state = saved_state(node_of(world))
    for key, call in calls:
        put(sessions, key, call)
    work_until_settled(sessions, world)
    restart_from(node_of(world), state)


def test_acknowledged_writes_survive_a_killed_node(own_world: World, sessions: sessionmaker[Session]) -> None:
    lose(sessions, own_world, [(f"k{n}", evidence(n)) for n in range(25)])
    assert digests(own_world) == []
    with pytest.raises(LedgerError) as noticed:
        own_world.ledger.head()
    assert noticed.value.reason is Reason.RESET
    with sessions() as session:
        assert not outbox.consistent(session, own_world.ledger)
    outbox.work(sessions, own_world.ledger)
    work_until_settled(sessions, own_world)
    assert digests(own_world) == [evidence(n).args["digest"] for n in range(25)]
    outbox.work(sessions, own_world.ledger)
    with sessions() as session:
        assert outbox.consistent(session, own_world.ledger)
    own_world.ledger.head()


def test_a_revocation_is_never_undone_by_a_crash(own_world: World, sessions: sessionmaker[Session]) -> None:
    """The node forgot the revocation: between its return and the healing nothing may be decided, and after it the answer is
    no."""
    resident, reader = own_world.resident(), own_world.practitioner(own_world.hospital)
    consent = own_world.sign(resident, own_world.scope(resident, reader))
    put(sessions, "grant", grant_call(consent))
    work_until_settled(sessions, own_world)
    request = own_world.request(resident, reader, own_world.platform)
    assert own_world.decide(request, consent)["outcome"] == 1
    lose(sessions, own_world, [("revoke", own_world.revocation(resident, consent.consent))])
    with pytest.raises(LedgerError) as shut:
        own_world.decide(request, consent)
    assert shut.value.reason is Reason.RESET
    outbox.work(sessions, own_world.ledger)
    work_until_settled(sessions, own_world)
    outbox.work(sessions, own_world.ledger)
    decided = own_world.decide(request, consent)
    assert (decided["outcome"], decided["reason"]) == (2, 8)


def test_another_reader_of_the_node_notices_too(own_world: World, sessions: sessionmaker[Session]) -> None:
    """A gate that wrote nothing itself has seen heads: it refuses once the node is older than those, also when the height has
    caught up."""
    gate, chain = own_world.hospital.ledger, node_of(own_world)
    state = saved_state(chain)
    prepared = own_world.ledger.prepare(evidence(1))
    own_world.ledger.submit(prepared)
    written = await_outcome(own_world.ledger, prepared.id).height
    seen = gate.head()
    assert written is not None
    assert seen.height >= written
    restart_from(chain, state)
    until(lambda: chain.node.health()["height"] > seen.height + 3)
    with pytest.raises(LedgerError) as refused:
        gate.head()
    assert refused.value.reason is Reason.RESET
    gate.expect(None)
    gate.head()


def test_a_node_that_is_down_is_unreachable_and_writes_wait(own_world: World, sessions: sessionmaker[Session]) -> None:
    node = node_of(own_world).node
    node.stop()
    put(sessions, "k", evidence(1))
    for asked in (own_world.ledger.head, lambda: own_world.ledger.outcome("0x" + "11" * 32)):
        with pytest.raises(LedgerError) as refused:
            asked()
        assert refused.value.reason is Reason.UNREACHABLE
    node.start()
    outbox.work(sessions, own_world.ledger)
    work_until_settled(sessions, own_world)
    assert digests(own_world) == [evidence(1).args["digest"]]


def test_a_node_killed_between_signing_and_sending(own_world: World, sessions: sessionmaker[Session]) -> None:
    """The raw bytes are stored: they are sent when the node is back, once."""
    chain = node_of(own_world)
    put(sessions, "k", evidence(1))
    ledger = own_world.ledger
    signed = outbox._sign
    saved_state(chain)

    def sign_then_kill(*args: object) -> object:
        made = signed(*args)  # type: ignore[arg-type]
        chain.crash()
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "_sign", sign_then_kill)
        assert outbox.flush(sessions, ledger) == 1
    chain.node.start()
    work_until_settled(sessions, own_world)
    assert digests(own_world) == [evidence(1).args["digest"]]


def test_an_outcome_is_unknown_after_the_loss_not_committed(own_world: World) -> None:
    chain = node_of(own_world)
    state = saved_state(chain)
    prepared = own_world.ledger.prepare(evidence(1))
    own_world.ledger.submit(prepared)
    assert await_outcome(own_world.ledger, prepared.id).status == "committed"
    restart_from(chain, state)
    assert own_world.ledger.outcome(prepared.id).status == "unknown"


def test_a_killed_node_comes_back_and_nothing_acknowledged_is_missing(own_world: World, sessions: sessionmaker[Session]) -> None:
    """The same without help: kill -9 at some moment, ten times, whatever it had written."""
    chain = node_of(own_world)
    saved_state(chain)
    for round_ in range(10):
        for n in range(5):
            put(sessions, f"{round_}/{n}", evidence(10 * round_ + n))
        work_until_settled(sessions, own_world)
        time.sleep(0.07 * round_)
        chain.crash()
        chain.node.start()
        outbox.work(sessions, own_world.ledger)
        work_until_settled(sessions, own_world)
    assert digests(own_world) == [evidence(10 * r + n).args["digest"] for r in range(10) for n in range(5)]


def test_an_account_that_also_writes_elsewhere_leaves_no_gap(own_world: World, sessions: sessionmaker[Session]) -> None:
    """The outbox's number is taken by a write beside it: the stored write gets the very next one, else it would wait for ever."""
    ledger = own_world.operator.ledger
    for n in range(3):
        put(sessions, f"before-{n}", evidence(n))
        outbox.flush(sessions, ledger)
        beside = node_of(own_world).open(own_world.operator.key)
        await_outcome(beside, beside.submit(beside.prepare(evidence(100 + n))).id)
        beside.close()
        put(sessions, f"after-{n}", evidence(10 + n))
    work_until_settled(sessions, own_world)
