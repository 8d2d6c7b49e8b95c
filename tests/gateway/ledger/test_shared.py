"""Questions that many threads put at once: few of them reach the node, and none of the answers is too old."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.identity.registry import Register
from gateway.ledger.driver import Shared
from gateway.ledger.port import Block, Call
from gateway.ledger.reasons import LedgerError, Reason

LIMIT = 60


class Node:
    """Answers one question at a time, each when told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.begun, self.go = threading.Semaphore(0), threading.Semaphore(0)

    def ask(self) -> int:
        self.asked += 1
        number = self.asked
        self.begun.release()
        assert self.go.acquire(timeout=LIMIT)
        return number


def test_nobody_gets_an_answer_to_a_question_put_before_they_came() -> None:
    node = Node()
    shared = Shared(node.ask)
    with ThreadPoolExecutor(12) as pool:
        first = pool.submit(shared)
        assert node.begun.acquire(timeout=LIMIT)
        later = [pool.submit(shared) for _ in range(10)]  # these come while the first question is under way
        node.go.release()
        assert first.result(LIMIT) == 1
        node.go.release(10)
        assert all(answer.result(LIMIT) > 1 for answer in later)
    assert 2 <= node.asked <= 11


def test_many_who_come_meanwhile_share_the_next_question() -> None:
    node = Node()
    shared = Shared(node.ask)
    with ThreadPoolExecutor(12) as pool:
        first = pool.submit(shared)
        assert node.begun.acquire(timeout=LIMIT)
        leader = pool.submit(shared)
        while shared._next is None:
            assert not leader.done()
        joined = shared._next
        later = [pool.submit(shared) for _ in range(10)]
        node.go.release()
        assert first.result(LIMIT) == 1
        node.go.release(10)
        assert leader.result(LIMIT) == 2 == joined.result(LIMIT)
        assert min(answer.result(LIMIT) for answer in later) == 2


def test_a_question_that_fails_fails_for_all_who_share_it_and_for_nobody_else() -> None:
    answers: list[Any] = [LedgerError(Reason.TIMEOUT), 7]

    def ask() -> int:
        answer = answers.pop(0)
        if isinstance(answer, LedgerError):
            raise answer
        return int(answer)

    shared = Shared(ask)
    with pytest.raises(LedgerError):
        shared()
    assert shared() == 7


class Registry:
    """A ledger that keeps no older state, one block further than it was; ``reads`` lists where it was asked."""

    def __init__(self, history: bool) -> None:
        self.history = history
        self.reads: list[bytes | None] = []

    def info(self) -> Registry:
        return self

    def read(self, call: Call, at: bytes | None = None) -> Any:
        self.reads.append(at)
        if at is not None:
            raise LedgerError(Reason.NOT_FOUND)
        return {"status": 1, "roles": 0, "x": b"x", "y": b"y", "nameDigest": call.args["id"]}


def test_where_no_older_state_is_kept_the_newer_one_is_asked() -> None:
    ledger = Registry(history=False)
    register = Register(ledger, Block(1, b"one", b"", 0))  # type: ignore[arg-type]
    assert [register.organisation(b"o").name_digest for _ in range(3)] == [b"o"] * 3
    assert ledger.reads == [b"one", None]


def test_a_question_that_failed_is_put_again() -> None:
    ledger = Registry(history=True)
    register = Register(ledger, Block(1, b"one", b"", 0))  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(LedgerError):
            register.organisation(b"o")
    assert ledger.reads == [b"one", b"one"]
