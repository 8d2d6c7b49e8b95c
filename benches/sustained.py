"""A3 and B on a consortium's network, sustained: every entry in full for so many seconds, then single writes, with what the nodes
take in memory and on disk.

The index is fed as fast as the ledger takes it: entries come into the database, are put under roots, go through the outbox and
are counted where they end, in the ledger's own index head. The peer is a bare client that makes calls of the same size out of
nothing, signs and sends them, sends again what was not taken, and stores nothing; for as long, on the same network, in the same
run. A single write is a request for access, which shares nothing with another.
"""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import insert

from core import entry
from core.words import ZERO
from gateway.ledger import outbox
from gateway.ledger.db import writing
from gateway.ledger.port import Call, Ledger, Prepared
from gateway.ledger.reasons import LedgerError
from network.kinds import Network
from offchain.anchor import ENDORSED_ENTRIES, FULL_MODE_ENTRIES, Anchorer
from offchain.database import Sessions, custodian_sessions
from offchain.models import Counter, EntryRow
from tests.support.world import Chain, Organisation, await_outcome, build_world, carry_out

AHEAD = 8
"""Batches that wait for the ledger before more entries are taken in."""
LOOK_SECONDS = 0.25
"""Between two looks at what is anchored: the database has one writer at a time."""
WINDOW = 32
"""Calls of the bare client under way, where the ledger lets one build on another."""
WRITERS = 16
_WORDS = ("record", "subject", "schema", "commitment")


class Consortium(Chain, Protocol):
    """A chain of several nodes."""

    network: Network


def rows(chain: Consortium, folder: Path, seconds: float, pump: Any) -> list[dict[str, Any]]:
    """Rows of A3, B and the nodes' footprint. ``pump``: a context manager of sessions and an organisation whose worker sends and
    settles meanwhile."""
    before = _footprint(chain.network)
    ours = _fed(chain, folder, seconds, pump)
    after = _footprint(chain.network)
    theirs = _bare(chain, seconds)
    waits = _waits(chain, folder, pump), _bare_waits(chain)
    per_call = _entries_a_call(chain)
    peer = f"bare client for as long, calls of {per_call:,} entries, nothing stored"
    single = "direct client, one caller, nothing stored"
    return [
        _row(f"A3 every entry in full, sustained for {seconds:,.0f} s", "entries/s", ours / seconds, theirs / seconds, peer),
        _row("A3 disk of all nodes, a million entries", "MB", (after.disk - before.disk) / ours, None, None),
        _row("A3 disk of the node that took most, a million entries", "MB", (after.largest - before.largest) / ours, None, None),
        _row("A3 memory of a node, largest", "MB", after.memory / 1e6, None, None),
        _row(f"B one write end to end, {WRITERS} callers", "s p50", _at(waits[0], 0.5), _at(waits[1], 0.5), single),
        _row(f"B one write end to end, {WRITERS} callers", "s p99", _at(waits[0], 0.99), _at(waits[1], 0.99), single),
    ]


# --- entries ---------------------------------------------------------------------------------------------------------


def _fed(chain: Chain, folder: Path, seconds: float, pump: Any) -> int:
    """Entries on the ledger after so long."""
    world = build_world(chain)
    owner, size = world.hospital, _entries_a_call(chain)
    sessions = custodian_sessions(f"sqlite:///{folder / 'store.db'}")
    anchorer = Anchorer(owner.id, sessions, folder / "trees", mode="full", full_entries=size)
    entries = 0
    with pump(sessions, owner):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            anchorer.settle()
            if anchorer.waiting() >= AHEAD:
                time.sleep(LOOK_SECONDS)
                continue
            _put(sessions, entries, size)
            entries += size
            anchorer.batch()
        taken = _taken(owner)
    world.close()
    return taken


def _put(sessions: Sessions, first: int, count: int) -> None:
    """So many entries more in the database, whose contents are nowhere."""
    same = {"version": 1, "category": 3, "flags": 0, "previous": ZERO, "recorded_at": 1, "indexed_at": 1}
    words = [n.to_bytes(32, "big") for n in range(first, first + count)]
    rows = [{"sequence": n, **dict.fromkeys(_WORDS, word), **same} for n, word in enumerate(words, first)]
    with sessions.begin() as session:
        writing(session)
        session.execute(insert(EntryRow), rows)
        session.merge(Counter(name="sequence", value=first + count))


def _bare(chain: Chain, seconds: float) -> int:
    world = build_world(chain)
    owner = world.hospital
    calls, deadline = _calls(owner, _entries_a_call(chain)), time.monotonic() + seconds
    if owner.ledger.info().endorses:  # each builds on the one before, so that one is under way at a time
        while time.monotonic() < deadline:
            if carry_out(owner.ledger, next(calls)).status != "committed":
                raise AssertionError("the ledger refused a call of the bare client")
    else:
        _pipelined(owner.ledger, calls, deadline)
    taken = _taken(owner)
    world.close()
    return taken


def _pipelined(ledger: Ledger, calls: Iterator[Call], deadline: float) -> None:
    """Keep a window of calls under way; what the node no longer knows is sent again, from there on."""
    window: list[Prepared] = []
    nonce, sent = None, 0
    while time.monotonic() < deadline:
        while len(window) < WINDOW:
            window.append(ledger.prepare(next(calls), None, nonce))
            nonce = window[-1].nonce + 1
        answers = ledger.submit(window[sent:]) if sent < len(window) else []
        sent += next((i for i, answer in enumerate(answers) if isinstance(answer, LedgerError)), len(answers))
        states = [outcome.status for outcome in ledger.outcome([one.id for one in window[:sent]])]
        if "failed" in states:
            raise AssertionError("the ledger refused a call of the bare client")
        done = next((i for i, status in enumerate(states) if status != "committed"), len(states))
        sent = states.index("unknown") if "unknown" in states else sent
        window, sent = window[done:], sent - done
        if not done:
            time.sleep(0.02)


def _calls(owner: Organisation, size: int) -> Iterator[Call]:
    """One after the other, each naming the root before it; the roots are of nothing, which the ledger cannot know."""
    before, zeros = ZERO, bytes(32)
    for first in range(0, 2**62, size):
        leaves = entry.pack_rows((owner.id, zeros, zeros, zeros, zeros, zeros, first + i, 1, 3, 0, 1, 1) for i in range(size))
        root = secrets.token_bytes(32)
        args = {"root": root, "firstSequence": first, "count": size, "previousRoot": before, "entries": b"".join(leaves)}
        yield Call("DataIndex", "anchorEntries", args)
        before = root


def _entries_a_call(chain: Chain) -> int:
    return ENDORSED_ENTRIES if chain.kind == "fabric" else FULL_MODE_ENTRIES


def _taken(owner: Organisation) -> int:
    return int(owner.ledger.read(Call("DataIndex", "headOf", {"organisation": owner.id}))["nextSequence"])


# --- single writes ---------------------------------------------------------------------------------------------------


def _waits(chain: Chain, folder: Path, pump: Any, each: int = 8) -> list[float]:
    """Seconds from storing a write to knowing that the ledger has it, through the outbox of one account."""
    world = build_world(chain)
    sessions = custodian_sessions(f"sqlite:///{folder / 'single.db'}")

    def write(_number: int) -> list[float]:
        taken = []
        for _ in range(each):
            began = time.perf_counter()
            with sessions.begin() as session:
                id = outbox.enqueue(session, secrets.token_hex(8), "bench", _request()).id
            state = ""
            while state not in (outbox.SUCCEEDED, outbox.FAILED):
                time.sleep(0.01)
                with sessions() as session:
                    state = session.query(outbox.Operation.state).filter(outbox.Operation.id == id).scalar()
            if state == outbox.FAILED:
                raise AssertionError("the ledger refused a single write")
            taken.append(time.perf_counter() - began)
        return taken

    with pump(sessions, world.hospital), ThreadPoolExecutor(WRITERS) as pool:
        found = [s for taken in pool.map(write, range(WRITERS)) for s in taken]
    world.close()
    return found


def _bare_waits(chain: Chain, count: int = 32) -> list[float]:
    world = build_world(chain)
    ledger, found = world.hospital.ledger, []
    for _ in range(count):
        began = time.perf_counter()
        prepared = ledger.prepare(_request())
        ledger.submit(prepared)
        await_outcome(ledger, prepared.id)
        found.append(time.perf_counter() - began)
    world.close()
    return found


def _request() -> Call:
    return Call("Access", "request", {"id": secrets.token_bytes(32), "commitment": secrets.token_bytes(32)})


# --- nodes -----------------------------------------------------------------------------------------------------------


class _Footprint:
    """Bytes of the nodes: on disk together and the largest, in memory the largest."""

    def __init__(self, disk: int, largest: int, memory: int) -> None:
        self.disk, self.largest, self.memory = disk, largest, memory


def _footprint(network: Network) -> _Footprint:
    parts = network.status()["parts"]
    resident = [_resident(part["pid"]) for part in parts if part["pid"]]
    kept = [_size(data) for data in network.home.rglob("data") if "data" not in data.relative_to(network.home).parts[:-1]]
    return _Footprint(sum(kept), max(kept), max(resident))


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def _size(folder: Path) -> int:
    """Bytes taken on disk; files that a database drops meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total


def _at(waits: list[float], share: float) -> float:
    return statistics.quantiles(waits, n=100, method="inclusive")[round(share * 100) - 1]


def _row(name: str, unit: str, figure: float, beside: float | None, peer: str | None) -> dict[str, Any]:
    ratio = None if beside is None else figure / beside
    return {"id": name, "figure": figure, "unit": unit, "peer": peer, "peer_figure": beside, "ratio": ratio}
