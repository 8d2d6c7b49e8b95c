"""Goal C: ten thousand random reorganisations without a difference.

A seeded chain of every kind of event, held in memory, replaces its newest 1 to 64 blocks again and again; the mirror (SQLite,
``synchronous=FULL``) follows each time. At intervals a mirror built from block 0 must have the same cursor and digest, and every
row of the live one must still give its digests. A difference ends the bench, with the seed that shows it again.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from gateway import logs
from gateway.heap import collect_rarely
from mirror.compare import verify
from mirror.database import Database
from mirror.loop import Follower
from tests.mirror.scripted import ScriptedLedger
from tests.mirror.support import reorganise

SEED, DEPTH, BLOCKS = 20261121, 64, 200
COMMAND = "python -m benches reorganisations"


def rows(quick: bool) -> list[dict[str, Any]]:
    """One row: reorganisations followed a second, none of them with a difference."""
    times, every = (200, 100) if quick else (10_000, 500)
    collect_rarely()
    logs.configure("error")  # each is a warning otherwise
    seconds, started = 0.0, time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="bench-reorganisations-") as folder:
        ledger = ScriptedLedger(SEED)
        with closing(Database(f"sqlite:///{folder}/live.db")) as database:
            live = Follower(ledger, database, DEPTH)
            for n in reorganise(ledger, live, SEED, times, DEPTH, BLOCKS):
                if n % every == 0:
                    seconds += time.perf_counter() - started
                    _same(ledger, live, Path(folder) / f"{n}.db", n)
                    started = time.perf_counter()
    return [
        {
            "id": f"C random reorganisations up to {DEPTH} blocks deep, {times:,} followed, none with a difference",
            "figure": round(times / seconds, 1),
            "unit": "/s",
            "peer": None,
            "peer_figure": None,
            "ratio": None,
            "command": COMMAND,
        }
    ]


def _same(ledger: ScriptedLedger, live: Follower, path: Path, n: int) -> None:
    with closing(Database(f"sqlite:///{path}")) as database:
        anew = Follower(ledger, database, DEPTH)
        anew.catch_up()
        assert anew.cursor == live.cursor, f"the digests differ within {n} reorganisations of seed {SEED}"
    path.unlink()
    assert verify(live.database) is None, f"the rows differ within {n} reorganisations of seed {SEED}"
