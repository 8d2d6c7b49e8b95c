"""Killed before any step of any write, the mirror goes on and ends with the rows and the digest of an unbroken run."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from mirror.compare import verify
from mirror.database import Database
from mirror.loop import Follower
from tests.mirror.scripted import ScriptedLedger, Story
from tests.mirror.support import dump, fresh, mine

SEED = 5
KINDS = {"begin", "end", "insert", "block", "cursor", "commit", "committed", "unwind"}


def first_branch() -> ScriptedLedger:
    """The branch that will be given up."""
    ledger = ScriptedLedger(SEED)
    mine(ledger, Story(ledger, random.Random(SEED)), 6)
    return ledger


def second_branch() -> ScriptedLedger:
    """The newest three blocks given up for five others."""
    ledger = first_branch()
    ledger.cut(3)
    mine(ledger, Story(ledger, random.Random(SEED + 1)), 5)
    return ledger


def follow_both(url: str, stop_at: int = 0) -> list[str]:
    """Follow the first branch, then the second, and name the steps; a process that is to stop kills itself before that step."""
    steps: list[str] = []

    def watch(step: str) -> None:
        steps.append(step)
        if len(steps) == stop_at:
            os.kill(os.getpid(), signal.SIGKILL)

    database = Database(url)
    follower = Follower(first_branch(), database, depth=16, watch=watch, events=6)
    if follower.cursor.height <= 6:
        follower.catch_up()
    follower.ledger = second_branch()
    follower.catch_up()
    database.close()
    return steps


def killed_at(url: str, step: int) -> bool:
    """Run in a process of its own that dies without any handler at this step; False if it came to the end before."""
    child = os.fork()
    if not child:
        try:
            follow_both(url, step)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def test_killed_at_every_step(tmp_path: Path) -> None:
    steps = follow_both(f"sqlite:///{tmp_path / 'straight.db'}")
    assert {s.split()[0] for s in steps} == KINDS, "the history must write, replace and unwind to be worth something"
    want = dump(fresh(second_branch(), tmp_path).database)
    for n in range(1, len(steps) + 1):
        url = f"sqlite:///{tmp_path / f'{n}.db'}"
        assert killed_at(url, n), f"step {n} {steps[n - 1]}"
        follow_both(url)
        database = Database(url)
        assert dump(database) == want, f"killed at step {n} {steps[n - 1]}"
        assert verify(database) is None
        database.close()


@pytest.mark.postgres
def test_killed_in_a_loop_on_postgres(postgres_url: str, tmp_path: Path) -> None:
    """One database, one kill after the other, each a few steps further than the work done so far."""
    steps = len(follow_both(f"sqlite:///{tmp_path / 'straight.db'}"))
    deaths = sum(killed_at(postgres_url, n) for n in range(1, steps, 3))
    assert deaths > 5
    follow_both(postgres_url)
    database = Database(postgres_url)
    assert dump(database) == dump(fresh(second_branch(), tmp_path).database)
    database.close()
