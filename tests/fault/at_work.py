"""Writes that must survive what is done to four validators, and what is asked of them afterwards."""

from __future__ import annotations

from contextlib import ExitStack, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.orm import Session, sessionmaker

from core.crypto import sm3
from core.words import kind_word
from gateway.ledger import outbox
from gateway.ledger.outbox import SUCCEEDED, Operation
from gateway.ledger.port import Call
from gateway.ledger.reasons import LedgerError, Reason
from mirror.compare import compare_databases
from mirror.database import Database
from mirror.loop import Follower
from tests.support.validators import ValidatorChain
from tests.support.waiting import until
from tests.support.world import World

KIND = kind_word("test")
OLD_SECONDS, PATIENT_SECONDS = 5.0, 300.0
Sessions = sessionmaker[Session]


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
    assert_same_copies(chain, head.height, (0, len(everybody) - 1))


def assert_same_copies(chain: ValidatorChain, height: int, validators: tuple[int, int]) -> None:
    """Mirrors that two organisations keep, each from its own validator, have the same digests and rows up to the block."""
    with TemporaryDirectory() as home, ExitStack() as opened:
        copies = [opened.enter_context(closing(Database(f"sqlite:///{Path(home) / str(n)}.db"))) for n in validators]
        for number, copy in zip(validators, copies, strict=True):
            follower = Follower(opened.enter_context(chain.seen_from(number)), copy, depth=64)
            until(lambda follower=follower: _caught_up(follower, height))  # type: ignore[misc]
        assert compare_databases(*copies) is None


def _caught_up(follower: Follower, height: int) -> bool:
    with suppress(LedgerError):
        follower.catch_up()
    return follower.cursor.height >= height
