"""Eight worker processes on one account of a real chain: no gap, nothing twice, and the bulk rate beside a bare client."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.crypto import sm3
from core.words import kind_word
from gateway.ledger import outbox
from gateway.ledger.db import open_sessions
from gateway.ledger.evm.ledger import EvmLedger
from gateway.ledger.evm.open import Deployment, Limits, connect
from gateway.ledger.outbox import Operation
from gateway.ledger.port import Call
from tests.support.chains import EvmChain
from tests.support.world import World

pytestmark = pytest.mark.node
WRITERS, EACH = 8, 20
WORK_SECONDS = 240.0


def digest(writer: int, n: int) -> bytes:
    return sm3(writer.to_bytes(2, "big") + n.to_bytes(2, "big"))


def write(database: str, url: str, contracts: Path, key: bytes, writer: int) -> None:
    """One worker: stores its own writes, and works for all until none waits."""
    sessions = open_sessions(database, outbox.metadata)
    ledger = EvmLedger(connect(url, Deployment.read(contracts), key, Limits()))
    for n in range(EACH):
        with sessions.begin() as session:
            call = Call("Evidence", "record", {"kind": kind_word("test"), "digest": digest(writer, n)})
            outbox.enqueue(session, f"{writer}/{n}", "test", call)
        if n % 5 == 0:
            outbox.work(sessions, ledger)
    deadline = time.monotonic() + WORK_SECONDS
    while time.monotonic() < deadline and open_writes(sessions):
        outbox.work(sessions, ledger)
        time.sleep(0.05)
    ledger.close()


def open_writes(sessions: outbox.Sessions) -> int:
    with sessions() as session:
        waiting = select(func.count()).select_from(Operation).where(Operation.state.in_(("initialised", "pending")))
        return session.scalar(waiting) or 0


@pytest.mark.timeout(600)
def test_eight_processes_share_an_account(world: World, database_url: str) -> None:
    assert isinstance(world.chain, EvmChain)
    sessions = open_sessions(database_url, outbox.metadata)
    context = multiprocessing.get_context("spawn")
    arguments = (database_url, world.chain.url, world.contracts_file, world.operator.key)
    workers = [context.Process(target=write, args=(*arguments, w)) for w in range(WRITERS)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert [w.exitcode for w in workers] == [0] * WRITERS
    with sessions() as session:
        rows = list(session.scalars(select(Operation)))
    assert {r.state for r in rows} == {"succeeded"}
    nonces = sorted(r.nonce or 0 for r in rows)
    assert nonces == list(range(nonces[0], nonces[0] + WRITERS * EACH))
    blocks = world.ledger.events(0, world.ledger.head().height, ["Evidence"])
    recorded = [e.args["digest"] for b in blocks for e in b]
    assert sorted(recorded) == sorted(digest(w, n) for w in range(WRITERS) for n in range(EACH))
    for w in range(WRITERS):
        mine = [d for d in recorded if d in {digest(w, n) for n in range(EACH)}]
        assert mine == [digest(w, n) for n in range(EACH)], "each writer's own order is kept"
    sessions.kw["bind"].dispose()
