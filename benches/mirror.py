"""Goal C: the mirror's cold catch-up from a real node, beside Ponder and beside a scan that stores nothing; a rebuild compared
with the copy in use; lag; one block with 50,000 events.

Every event is decoded, projected into a versioned row, indexed, hashed and committed with ``synchronous=FULL`` (SQLite) or to a
PostgreSQL of this run as it comes, one digest a block. Ponder reads the same node into the same PostgreSQL, alternating.
"""

from __future__ import annotations

import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.eventful import EventfulChain
from benches.peers import ponder
from gateway.heap import collect_rarely
from mirror.compare import compare_databases
from mirror.database import Database
from mirror.loop import Follower, follow
from mirror.rebuild import build
from tests.support.postgres import Server, unavailable

BLOCK_EVENTS = 1000
SCAN = "eth_getLogs into memory"
COMMAND = "python -m benches mirror"
#: Blocks on top of the events: Ponder takes in at once what is at least 30 blocks deep.
BURIED = 32
LOOK_SECONDS = 0.002


@dataclass(frozen=True)
class Sizes:
    """How much is measured: rounds by number of events, those of Ponder, events of the one block, blocks for the lag."""

    rounds: dict[int, int]
    ponder: dict[int, int]
    block: int
    lags: int


FULL = Sizes({10_000: 5, 100_000: 5, 1_000_000: 1}, {100_000: 5}, 50_000, 60)
QUICK = Sizes({10_000: 1}, {10_000: 1}, 5_000, 20)


def rows(quick: bool) -> list[dict[str, Any]]:
    """Rows for docs/benchmarks.json at growing numbers of events (one when quick)."""
    sizes = QUICK if quick else FULL
    collect_rarely()  # as `python -m mirror` does
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-mirror-")))
        places = stack.enter_context(_places(home))
        chain = stack.enter_context(closing(EventfulChain(home)))
        out, held = [], 0
        for size, rounds in sizes.rounds.items():
            for _ in range((size - held) // BLOCK_EVENTS):
                chain.block(BLOCK_EVENTS)
            held = size
            out += _catch_up(chain, places, size, rounds, sizes.ponder.get(size, 0))
        last = next(reversed(sizes.rounds))
        out.append(_rebuilt(chain, places, last))
        for name, place in places.items():
            out += _live(chain, name, place(), sizes)
        return out


@contextmanager
def _places(home: Path) -> Iterator[dict[str, Callable[[], str]]]:
    """By name of the database, what gives the address of a new empty one."""
    made = iter(range(10**6))
    places: dict[str, Callable[[], str]] = {"SQLite": lambda: f"sqlite:///{home / f'{next(made)}.db'}"}
    if why := unavailable():
        print(f"  without PostgreSQL: {why}")
        yield places
        return
    server = Server.start()
    places["PostgreSQL"] = lambda: server.url(server.create_database())
    try:
        yield places
    finally:
        server.stop()


def _catch_up(
    chain: EventfulChain, places: dict[str, Callable[[], str]], events: int, rounds: int, ponders: int
) -> list[dict[str, Any]]:
    ours: dict[str, list[float]] = {name: [] for name in places}
    scans, theirs = [], []
    for _ in range(BURIED):
        chain.block(0)
    peer = ponder.installed() if ponders and "PostgreSQL" in places else None
    for n in range(rounds):
        scans.append(events / _timed(chain.scan))
        for name, place in places.items():
            with _cold(chain, place()) as follower:
                ours[name].append(events / _timed(follower.catch_up))
        if peer is not None and n < ponders:
            theirs.append(events / _indexed(peer, chain, places["PostgreSQL"](), events))
    median = statistics.median
    out = [
        _row(f"C cold catch-up of {events:,} events, durable, {name}", median(figures), "events/s", SCAN, median(scans))
        for name, figures in ours.items()
    ]
    if theirs:
        id = f"C cold catch-up of {events:,} events, durable, PostgreSQL, beside an indexer"
        out.append(_row(id, median(ours["PostgreSQL"]), "events/s", ponder.NAME, median(theirs)))
    return out


def _indexed(place: Path, chain: EventfulChain, database: str, events: int) -> float:
    last = chain.height() - BURIED
    return ponder.seconds_to_index(place, chain.node.url, database, chain.emitter, last, events)


@contextmanager
def _cold(chain: EventfulChain, url: str) -> Iterator[Follower]:
    """A follower with nothing in its database."""
    with chain.ledger() as ledger, closing(Database(url)) as database:
        yield Follower(ledger, database, depth=64)


def _rebuilt(chain: EventfulChain, places: dict[str, Callable[[], str]], events: int) -> dict[str, Any]:
    """Built anew beside the copy in use, and every digest compared."""
    live = places.get("PostgreSQL", places["SQLite"])()
    with _cold(chain, live) as follower, closing(Database(places["SQLite"]())) as anew:
        follower.catch_up()
        started = time.perf_counter()
        build(follower.ledger, anew, 64, follower.blocks_per_read)
        assert compare_databases(follower.database, anew) is None
        seconds = time.perf_counter() - started
    return _row(f"C rebuild of {events:,} events beside the copy in use, digests equal", seconds, "s", None, None)


def _live(chain: EventfulChain, name: str, url: str, sizes: Sizes) -> list[dict[str, Any]]:
    """On top of all that is there: lag of blocks of 100 events, then big blocks."""
    with _cold(chain, url) as follower:
        follower.catch_up()
        lags = sorted(_lags(chain, follower, sizes.lags))
        big = []
        for _ in range(3):
            chain.block(sizes.block)
            big.append(sizes.block / _timed(follower.catch_up))
    return [
        _row(f"C block to committed, polling every 250 ms, {name}", lags[int(len(lags) * 0.99) - 1], "ms p99", None, None),
        _row(f"C {sizes.block:,} events in one block, durable, {name}", statistics.median(big), "events/s", None, None),
    ]


def _lags(chain: EventfulChain, follower: Follower, blocks: int) -> Iterator[float]:
    """Milliseconds from a block's being mined until it is committed."""
    stop = threading.Event()
    thread = threading.Thread(target=follow, args=(follower, stop, 0.25))
    thread.start()
    try:
        for _ in range(blocks):
            chain.block(100)
            mined, height = time.perf_counter(), chain.height()
            while follower.cursor.height < height:
                assert thread.is_alive(), "the follower ended"
                time.sleep(LOOK_SECONDS)
            yield (time.perf_counter() - mined) * 1000
            time.sleep(secrets.randbelow(50) / 1000)
    finally:
        stop.set()
        thread.join()


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _row(id: str, figure: float, unit: str, peer: str | None, peer_figure: float | None) -> dict[str, Any]:
    ratio = figure / peer_figure if peer_figure else None
    return {
        "id": id,
        "figure": round(figure, 1),
        "unit": unit,
        "peer": peer,
        "peer_figure": peer_figure,
        "ratio": ratio,
        "command": COMMAND,
    }
