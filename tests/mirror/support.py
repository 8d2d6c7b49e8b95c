"""Shared by the mirror's tests: build mirrors, dump them, play random reorganisations."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mirror.checkpoint import Watch, no_watch
from mirror.database import Database
from mirror.loop import Follower
from mirror.models import BLOCK, MENTION
from mirror.projections import RELATIONS
from tests.mirror.scripted import ScriptedLedger, Story

OPEN: list[Database] = []


def follower(ledger: ScriptedLedger, url: str, depth: int = 64, watch: Watch = no_watch, events: int = 8) -> Follower:
    """A follower whose database is closed when the test ends. Few events a transaction, so that there are many."""
    OPEN.append(Database(url))
    return Follower(ledger, OPEN[-1], depth, blocks_per_read=7, watch=watch, events=events)


def fresh(ledger: ScriptedLedger, tmp_path: Path, name: str = "fresh.db") -> Follower:
    """A mirror built from block 0 in one go."""
    made = follower(ledger, f"sqlite:///{tmp_path / name}")
    made.catch_up()
    return made


def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that comes from the chain."""
    out = {}
    with database.read() as connection:
        for table in (BLOCK, MENTION, *(r.table for r in RELATIONS)):
            rows = connection.execute(sa.select(table).order_by(*table.primary_key))
            out[table.name] = [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in rows]
    return out


def mine(ledger: ScriptedLedger, story: Story, blocks: int) -> None:
    for _ in range(blocks):
        ledger.extend(story.block())


def told(seed: int, blocks: int) -> ScriptedLedger:
    """A ledger with a random history."""
    ledger = ScriptedLedger(seed)
    mine(ledger, Story(ledger, random.Random(seed)), blocks)
    return ledger


def reorganise(ledger: ScriptedLedger, live: Follower, seed: int, times: int, depth: int, most_blocks: int) -> Iterator[int]:
    """So many random reorganisations, from 1 to ``depth`` blocks deep (shallow ones as likely as ten times deeper ones), by fewer
    or more blocks than they take out, each followed; yields how many there were. The chain stays at about ``most_blocks``."""
    rng = random.Random(seed)
    story = Story(ledger, rng, window=40)
    mine(ledger, story, depth + 1)
    for n in range(1, times + 1):
        mine(ledger, story, rng.randrange(1, 16 if len(ledger.chain) < most_blocks else 3))
        live.catch_up()
        lost = min(int((depth + 1) ** rng.random()), len(ledger.chain) - 1)
        ledger.cut(len(ledger.chain) - 1 - lost)
        mine(ledger, story, rng.randrange(lost + 4))
        live.catch_up()
        assert live.cursor.hash == ledger.chain[-1][0].hash
        yield n
