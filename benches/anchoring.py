"""Goals A1, A3, A4: records at rest to durable, anchored and provable index entries, with 1 s blocks: on the embedded node, or
with ``--network validators`` or ``--network fabric`` (A1, and A3 sustained for ``--seconds``) on a consortium's network here.

A1 begins with a file of opaque records of about 1 KB and ends when every batch's root is final on the ledger and its proofs can
be served. The peer, pymerkle, hashes with SHA-256 in memory only: it neither commits with salts nor stores nor anchors. A3
begins with entries in the database and ends when all of them are on the ledger in full; the peer is a bare client that signs and
sends the same calls, sends again what was not taken, and stores nothing. A4 compares proofs in process: ours from tree files on
disk.
"""

from __future__ import annotations

import os
import secrets
import statistics
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pymerkle import InmemoryTree

from benches import sustained
from core.words import ZERO
from gateway.ledger import outbox
from gateway.ledger.port import Call, Ledger
from gateway.ledger.reasons import LedgerError
from offchain.anchor import FULL_MODE_ENTRIES, Anchorer
from offchain.database import Sessions, custodian_sessions
from offchain.envelope import Envelope
from offchain.intake.bulk import BulkIndexer, BulkSource
from offchain.intake.writer import Batch, Version, Writer
from offchain.stores.files import FileStore
from offchain.trees import TreeFile
from tests.support.chains import EvmChain, FabricChain
from tests.support.validators import ValidatorChain
from tests.support.world import Chain, Organisation, build_world

ROUNDS = 5
RECORD = 1000
BATCH = 50_000
FULL_ENTRIES = 40_000
SECONDS = 300
COMMAND = "python -m benches anchoring"


def rows(quick: bool) -> list[dict[str, Any]]:
    """Rows of A1 at three sizes (two when quick), A3 and A4, on the embedded node."""
    sizes = (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000)
    chain = EvmChain(block_seconds=1.0)
    try:
        with tempfile.TemporaryDirectory(prefix="anchoring-") as folder:
            found = [_bulk(chain, Path(folder) / str(size), size, 2 if quick else ROUNDS) for size in sizes]
            found.append(_full(chain, Path(folder) / "full", 2 if quick else ROUNDS))
            found.append(_proofs(Path(folder) / str(sizes[1]), ROUNDS))
        return found
    finally:
        chain.close()


def rows_on_validators(quick: bool, seconds: float | None = None) -> list[dict[str, Any]]:
    """Rows of A1 at one size, and of A3 and B sustained, on four validators."""
    chain = ValidatorChain(block_seconds=1.0)
    try:
        found = _consortium(chain, quick, seconds)
    finally:
        chain.close()
    return [{**row, "id": f"{row['id']}, 4 validators", "command": f"{COMMAND} --network validators"} for row in found]


def rows_on_fabric(quick: bool, seconds: float | None = None) -> list[dict[str, Any]]:
    """The same on Fabric with three organisations and Raft. There a write cannot build on one that is not settled, so calls go
    one after the other on both sides."""
    chain = FabricChain()
    try:
        found = _consortium(chain, quick, seconds)
    finally:
        chain.close()
    return [{**row, "id": f"{row['id']}, Fabric", "command": f"{COMMAND} --network fabric"} for row in found]


def _consortium(chain: sustained.Consortium, quick: bool, seconds: float | None) -> list[dict[str, Any]]:
    length = seconds or (10.0 if quick else 30.0)
    with tempfile.TemporaryDirectory(prefix="anchoring-") as folder:
        bulk = _bulk(chain, Path(folder) / "bulk", *((100_000, 2) if quick else (1_000_000, ROUNDS)))
        return [bulk, *sustained.rows(chain, Path(folder), length, _Pump)]


def _bulk(chain: Chain, folder: Path, size: int, rounds: int) -> dict[str, Any]:
    folder.mkdir()
    file = _records(folder / "records", size)
    ours, theirs = [], []
    for number in range(rounds if size < 1_000_000 else min(rounds, 3)):
        ours.append(size / _seconds(lambda n=number: _index(chain, file, folder / str(n), size)))
        theirs.append(size / _seconds(lambda: _pymerkle(file)))
    peer = "pymerkle append_entry (SHA-256, in memory, not durable, not anchored)"
    return _row(f"A1 bulk anchoring, {size:,} records", ours, "entries/s", peer, theirs)


def _index(chain: Chain, file: Path, home: Path, size: int) -> None:
    world = build_world(chain)
    owner = world.hospital
    sessions = custodian_sessions(f"sqlite:///{home / 'store.db'}")
    anchorer = Anchorer(owner.id, sessions, home / "trees")
    bulk = BulkIndexer(owner.id, sessions, anchorer, home / "bulk", secrets.token_bytes(32), batch_entries=min(BATCH, size))
    _CLOCK.start()
    with _Pump(sessions, owner):
        bulk.run(BulkSource(file, "bench", secrets.token_bytes(32)), int(time.time()))
        _settled(anchorer, -(-size // min(BATCH, size)))
    _CLOCK.stop()
    _check(owner, anchorer, size)
    world.close()


def _check(owner: Organisation, anchorer: Anchorer, size: int) -> None:
    """A figure without this would be about nothing: entries from all over prove against the ledger's roots."""
    for sequence in range(0, size, max(1, size // 19)):
        proof = anchorer.proof(sequence)
        on_ledger = owner.ledger.read(Call("DataIndex", "batchOf", {"organisation": owner.id, "batch": proof.batch}))
        if not proof.holds() or on_ledger["root"] != proof.root:
            raise AssertionError(f"entry {sequence} does not prove")


def _full(chain: Chain, folder: Path, rounds: int, entries: int = FULL_ENTRIES) -> dict[str, Any]:
    ours, theirs = [], []
    for number in range(rounds):
        ours.append(entries / _seconds(lambda n=number: _ours_in_full(chain, folder / str(n), entries)))
        theirs.append(entries / _seconds(lambda n=number: _bare_client(chain, folder / f"bare{n}", entries)))
    peer = f"bare client, same calls of {FULL_MODE_ENTRIES} entries, nothing stored"
    return _row("A3 every entry in full on the ledger", ours, "entries/s", peer, theirs)


def _ours_in_full(chain: Chain, home: Path, entries: int) -> None:
    world = build_world(chain)
    sessions, anchorer = _filled(home, world.hospital, entries)
    _CLOCK.start()
    with _Pump(sessions, world.hospital):
        _settled(anchorer, anchorer.batch())
    _CLOCK.stop()
    world.close()


def _bare_client(chain: Chain, home: Path, entries: int) -> None:
    world = build_world(chain)
    sessions, anchorer = _filled(home, world.hospital, entries)
    anchorer.batch()
    with sessions() as session:
        calls = [outbox.load_call(op.call) for op in session.query(outbox.Operation).order_by(outbox.Operation.seq)]
    ledger = world.hospital.ledger
    _CLOCK.start()
    _flood(ledger, calls)
    _CLOCK.stop()
    on_ledger = world.ledger.read(Call("DataIndex", "headOf", {"organisation": world.hospital.id}))
    if on_ledger["nextSequence"] != entries:
        raise AssertionError(f"the bare client put {on_ledger['nextSequence']} of {entries} entries on the ledger")
    world.close()


def _flood(ledger: Ledger, calls: list[Call]) -> None:
    """Sign all, send as fast as the node takes them, and from the first again that it did not take or no longer knows."""
    first = ledger.prepare(calls[0]).nonce
    prepared = [ledger.prepare(call, None, first + i) for i, call in enumerate(calls)]
    deadline, sent, done = time.monotonic() + SECONDS, 0, 0
    while done < len(prepared):
        if sent < len(prepared):
            answers = ledger.submit(prepared[sent : sent + outbox.BATCH])
            sent += next((i for i, answer in enumerate(answers) if isinstance(answer, LedgerError)), len(answers))
        else:
            time.sleep(0.02)
        window = prepared[done : done + outbox.BATCH]
        states = [outcome.status for outcome in ledger.outcome([one.id for one in window])]
        if "failed" in states:
            raise AssertionError("the ledger refused a call of the bare client")
        if "unknown" in states:
            sent = min(sent, done + states.index("unknown"))
        done += next((i for i, status in enumerate(states) if status != "committed"), len(states))
        if time.monotonic() > deadline:
            raise TimeoutError(f"{done} of {len(prepared)} calls of the bare client on the ledger in {SECONDS} s")


def _filled(home: Path, owner: Organisation, entries: int) -> tuple[Sessions, Anchorer]:
    """A custodian with entries that wait to be anchored in full."""
    home.mkdir(parents=True)
    sessions = custodian_sessions(f"sqlite:///{home / 'store.db'}")
    writer = Writer(sessions, FileStore(home / "records"), Envelope(secrets.token_bytes(16)), "bench", 1)
    for start in range(0, entries, 2000):
        ids = [i.to_bytes(32, "big") for i in range(start, start + 2000)]
        writer.write(Batch([Version(i, 1, i, i, 3, i, ZERO, 1, i, b"content", before=False) for i in ids]), 1)
    return sessions, Anchorer(owner.id, sessions, home / "trees", mode="full")


def _proofs(folder: Path, rounds: int) -> dict[str, Any]:
    """Proofs of the batch of 50,000 that A1 left on disk, beside the same tree in memory."""
    path = sorted((folder / "0" / "trees").glob("*.tree"))[0]
    tree = InmemoryTree(algorithm="sha256")
    with TreeFile(path) as ours_tree:
        size = ours_tree.size
        for i in range(size):
            tree.append_entry(ours_tree.path(i).leaf)
        drawn = [(i * 7919) % size for i in range(20_000)]
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(len(drawn) / _seconds(lambda: [ours_tree.path(i) for i in drawn], whole=True))
            theirs.append(2000 / _seconds(lambda: [tree.prove_inclusion(i + 1, size) for i in drawn[:2000]], whole=True))
    return _row(f"A4 inclusion proofs, tree of {size:,}", ours, "proofs/s", "pymerkle prove_inclusion, tree in memory", theirs)


def _pymerkle(file: Path) -> None:
    _CLOCK.start()
    tree = InmemoryTree(algorithm="sha256")
    with file.open("rb") as lines:
        for line in lines:
            tree.append_entry(line)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tree.get_state()
    _CLOCK.stop()


def _records(path: Path, size: int) -> Path:
    """So many random lines of ``RECORD`` bytes, and the cache warm for both sides."""
    with path.open("wb") as file:
        for _ in range(size):
            file.write(os.urandom(RECORD // 2).hex().encode()[: RECORD - 1] + b"\n")
    return path


class _Pump:
    """The custodian's worker: sends and settles while the indexer runs."""

    def __init__(self, sessions: Sessions, owner: Organisation) -> None:
        self._sessions, self._ledger = sessions, owner.ledger
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            outbox.work(self._sessions, self._ledger)


class _Clock:
    """Times the part of a round that counts; founding an alliance and filling databases does not."""

    def __init__(self) -> None:
        self.spent = 0.0
        self._since = 0.0

    def start(self) -> None:
        self._since = time.perf_counter()

    def stop(self) -> None:
        self.spent = time.perf_counter() - self._since


_CLOCK = _Clock()


def _seconds(work: Callable[[], object], *, whole: bool = False) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start if whole else _CLOCK.spent


def _settled(anchorer: Anchorer, batches: int) -> None:
    deadline, done = time.monotonic() + SECONDS, 0
    while done < batches:
        done += anchorer.settle()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{done} of {batches} batches anchored in {SECONDS} s")
        time.sleep(0.02)


def _row(name: str, ours: list[float], unit: str, peer: str, theirs: list[float]) -> dict[str, Any]:
    figure, beside = statistics.median(ours), statistics.median(theirs)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return {"id": name, "figure": figure, "unit": unit, "peer": peer, "peer_figure": beside, "ratio": ratio, "command": COMMAND}
