"""Goal C: what the ten commonest questions cost as the mirror grows, on a PostgreSQL of this run.

The mirror holds lives of residents (key, consents, entries, requests and answers, receipts, evidence) that a generator tells;
each question is asked of things picked at random, through the functions that REST calls, by one caller.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from core.crypto import sm3
from gateway.heap import collect_rarely
from gateway.ledger.port import Block, Event
from mirror.advance import advance
from mirror.checkpoint import Source, begin
from mirror.database import Database
from mirror.events import BlockEvents
from mirror.query import tables
from mirror.trace import trace
from tests.mirror.scripted import Raw, entries
from tests.support.postgres import Server, unavailable

COMMAND = "python -m benches mirror_queries"
BLOCK_EVENTS, BLOCKS_A_TRANSACTION = 1000, 10
ORGANISATIONS, ENTRIES, PICKED = 50, 4, 5000
START = 1_700_000_000


@dataclass
class Lives:
    """Events of residents' lives, and some of what they name, to be asked for."""

    rng: random.Random
    subjects: list[bytes] = field(default_factory=list)
    consents: list[bytes] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    roots: list[bytes] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.organisations = [self._word() for _ in range(ORGANISATIONS)]

    def events(self) -> Iterator[Raw]:
        """One life after the other, without end."""
        while True:
            yield from self._life()

    def _life(self) -> Iterator[Raw]:
        organisation, subject, consent = self.rng.choice(self.organisations), self._word(), self._word()
        request, digest, hand = self._word(), self._word(), self._word()
        raw, root = entries(organisation, 0, ENTRIES, self.rng)
        raw = b"".join(raw[at : at + 96] + subject + raw[at + 128 : at + 256] for at in range(0, len(raw), 256))
        batch = {"organisation": organisation, "batch": 0, "root": root, "firstSequence": 0, "count": ENTRIES}
        common = {"organisation": organisation, "commitment": hand}
        granted = {"subject": subject, "consent": consent, "commitment": hand, "packed": START << 192, "messageHash": hand}
        yield "Identity", "KeyBound", {"subject": subject, "x": hand, "y": hand, "registrar": organisation, "version": 1}
        yield "DataIndex", "BatchAnchored", {**batch, "previousRoot": hand}
        yield "DataIndex", "EntriesAnchored", {**batch, "entries": raw}
        yield "Consent", "ConsentGranted", granted
        yield "Access", "AccessRequested", {"id": request, **common}
        yield "Access", "AccessAnswered", {"id": request, **common, "answer": 1}
        yield "Evidence", "EvidenceRecorded", {"organisation": organisation, "number": 0, "kind": hand, "digest": digest}
        yield "Consent", "ConsentRevoked", {"consent": consent, "subject": subject, "packed": 1, "messageHash": hand}
        if len(self.subjects) < PICKED or self.rng.random() < 0.05:
            for kept, one in self._named(subject, consent, request, root, digest):
                kept.append(one)

    def _named(self, *ones: bytes) -> Iterator[tuple[list[bytes], bytes]]:
        return zip((self.subjects, self.consents, self.requests, self.roots, self.digests), ones, strict=True)

    def _word(self) -> bytes:
        return self.rng.randbytes(32)


def rows(quick: bool) -> list[dict[str, Any]]:
    """p99 of each question, and how many of them one caller gets answered in a second, at growing numbers of events."""
    if why := unavailable():
        print(f"  without PostgreSQL: {why}")
        return []
    collect_rarely()
    sizes, asked = ((10_000,), 20) if quick else ((100_000, 1_000_000), 300)
    server = Server.start()
    try:
        with closing(Database(server.url(server.create_database()))) as database:
            database.prepare()
            lives, out = Lives(random.Random(1)), []
            for size in _filled(database, lives, sizes):
                out += _asked(database, lives, size, asked)
            return out
    finally:
        server.stop()


def _filled(database: Database, lives: Lives, sizes: tuple[int, ...]) -> Iterator[int]:
    """The sizes, each when the mirror has it."""
    told, held = lives.events(), 0
    cursor = begin(database, Source(sm3(b"queries"), sm3(b"genesis"), 1))
    for size in sizes:
        while held < size:
            blocks = []
            for height in range(cursor.height + 1, cursor.height + 1 + BLOCKS_A_TRANSACTION):
                blocks.append(_block(told, height))
            cursor = advance(database, cursor, blocks)
            held += BLOCKS_A_TRANSACTION * BLOCK_EVENTS
        with database.write() as connection:
            connection.exec_driver_sql("ANALYZE")
        yield size


def _block(told: Iterator[Raw], height: int) -> BlockEvents:
    hash_, parent = (sm3(n.to_bytes(8, "big", signed=True)) for n in (height, height - 1))
    transaction = "0x" + sm3(hash_).hex()
    raw = (next(told) for _ in range(BLOCK_EVENTS))
    events = [Event(c, n, args, height, hash_, i, transaction) for i, (c, n, args) in enumerate(raw)]
    return BlockEvents.of(Block(height, hash_, parent, START + height, (transaction,)), events)


def _questions(database: Database, lives: Lives) -> dict[str, Callable[[], object]]:
    def of(table: str, column: str, things: list[bytes], **how: Any) -> Callable[[], object]:
        return lambda: tables(database, table, {column: "0x" + lives.rng.choice(things).hex()}, **how)

    return {
        "newest events": lambda: tables(database, "event", sort="-position", limit=50),
        "newest events of a contract": lambda: tables(database, "event", {"contract": "Consent"}, "-position", limit=50),
        "a consent": of("consent", "consent", lives.consents),
        "consents of a resident": of("consent", "subject", lives.subjects),
        "consents of a resident at a block": of("consent", "subject", lives.subjects, as_of=50),
        "index entries of a resident": of("entry", "subject", lives.subjects),
        "requests to an organisation": of("access_request", "organisation", lives.organisations, limit=50),
        "the batch of a root": of("batch", "root", lives.roots),
        "evidence by its digest": of("evidence", "digest", lives.digests),
        "life of an identifier": lambda: trace(database, "0x" + lives.rng.choice(lives.subjects).hex()),
    }


def _asked(database: Database, lives: Lives, size: int, times: int) -> list[dict[str, Any]]:
    questions, seconds = _questions(database, lives), dict[str, list[float]]()
    for n in range(times + 5):
        for name, ask in questions.items():
            started = time.perf_counter()
            ask()
            if n >= 5:  # the first find nothing planned or cached
                seconds.setdefault(name, []).append(time.perf_counter() - started)
    out = [
        _row(f"C query: {name}, {size:,} events, PostgreSQL", 1000 * sorted(took)[int(len(took) * 0.99) - 1], "ms p99")
        for name, took in seconds.items()
    ]
    whole = sum(sum(took) for took in seconds.values())
    return [*out, _row(f"C queries, the ten in turn, one caller, {size:,} events, PostgreSQL", 10 * times / whole, "/s")]


def _row(id: str, figure: float, unit: str) -> dict[str, Any]:
    return {
        "id": id,
        "figure": round(figure, 2),
        "unit": unit,
        "peer": None,
        "peer_figure": None,
        "ratio": None,
        "command": COMMAND,
    }
