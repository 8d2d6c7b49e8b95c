"""Goal H: rates of the national algorithms from Python, with the engine a process takes by default, beside gmsm called from Go,
``openssl speed``, our OpenSSL engine and the pure-Python reference; then of trees, entries and records, which have no peer of
their kind."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from benches import peers
from core import crypto, entry, merkle
from core.crypto import encoding
from core.record import RecordTree

COMMAND = "python -m benches crypto"
OURS = "our engine over OpenSSL and Tongsuo"
REFERENCE = "gmssl arithmetic, pure Python (our reference engine)"
GO = "gmsm 0.33 (Go, assembly), one core, no call from Python"
OPENSSL = "openssl speed as installed, one core, no call from Python"
Rates = dict[str, float]


def rows(quick: bool) -> list[dict[str, Any]]:
    """Rates a second in one process; engines alternate, median of the rounds."""
    return [*_engines(1 if quick else 5), *_trees(100_000 if quick else 1_000_000)]


def _engines(rounds: int) -> list[dict[str, Any]]:
    fast, plain, slow = crypto.load("auto"), crypto.load("openssl"), crypto.load("reference")
    print(f"  engine: {fast.name}")
    pair = fast.sm2_generate()
    message, signature, cipher = b"m" * 128, fast.sm2_sign(pair.private, b"m" * 128), fast.sm2_encrypt(pair.public, b"k" * 16)
    calls: dict[str, Callable[[crypto.Engine], object]] = {
        "SM2 signatures": lambda e: e.sm2_sign(pair.private, message),
        "SM2 verifications": lambda e: e.sm2_verify(pair.public, message, signature),
        "SM2 decryptions, 16 bytes": lambda e: e.sm2_decrypt(pair.private, cipher),
        "HMAC-SM3, 128 bytes": lambda e: e.hmac_sm3(b"k" * 32, message),
        "SM3, 1 KiB": lambda e: e.sm3(b"x" * 1024),
        "SM4-GCM, 1 KiB": lambda e: e.sm4_gcm_encrypt(b"k" * 16, b"i" * 12, b"x" * 1024, b""),
    }
    go = peers.program(peers.GMSM)
    taken: dict[str, list[Rates]] = {"": [], OURS: [], REFERENCE: [], GO: [], OPENSSL: []}
    for _ in range(rounds):
        taken[""].append({name: _rate(lambda c=call: c(fast), 500) for name, call in calls.items()})
        taken[OURS].append({name: _rate(lambda c=call: c(plain), 500) for name, call in calls.items()})
        taken[REFERENCE].append({name: _rate(lambda c=call: c(slow), 5) for name, call in calls.items()})
        taken[GO].append(peers.gmsm_rates(go) if go else {})
        taken[OPENSSL].append(peers.openssl_rates())
    ours = taken.pop("")
    result = [
        _row(f"H {name}", _median(ours, name), peer, _median(theirs, name))
        for name in calls
        for peer, theirs in taken.items()
        if name in theirs[0]
    ]
    return [*result, _row("H SM2 verifications, each key seen first", _unseen(fast, message, 300))]


def _median(rounds: list[Rates], name: str) -> float:
    return statistics.median(found[name] for found in rounds)


def _unseen(engine: crypto.Engine, message: bytes, count: int) -> float:
    signer = crypto.load("openssl")
    pairs = [signer.sm2_generate() for _ in range(count)]
    cases = iter([(pair.public, signer.sm2_sign(pair.private, message)) for pair in pairs])
    encoding.sm2_z.cache_clear()

    def call() -> object:
        public, signature = next(cases)
        return engine.sm2_verify(public, message, signature)

    return _rate(call, count)


def _trees(count: int) -> list[dict[str, Any]]:
    made: list[entry.Row] = [(bytes(32),) * 6 + (i, 1, 3, 0, 1, 2) for i in range(count)]  # type: ignore[misc]
    packed, packing = _timed(lambda: entry.pack_rows(made))
    leaves, hashing = _timed(lambda: merkle.leaf_hashes(packed))
    tree, building = _timed(lambda: merkle.Tree(leaves))
    values = {n: f"value {n}" for n in range(1, 15)}
    return [
        _row(f"core: index entries packed, of {count:,}", count / packing),
        _row(f"core: leaves hashed, of {count:,}", count / hashing),
        _row(f"core: leaves put into a tree, of {count:,}", count / building),
        _row(f"core: inclusion proofs, tree of {count:,}", _rate(lambda: tree.inclusion_proof(count // 2), 20_000)),
        _row(
            "core: records committed, 20 elements", _rate(lambda: RecordTree(b"s" * 32, 20, values, b"r" * 32).commitment, 3_000)
        ),
    ]


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def _rate(work: Callable[[], object], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        work()
    return times / (time.perf_counter() - started)


def _row(name: str, figure: float, peer: str | None = None, peer_figure: float | None = None) -> dict[str, Any]:
    return {
        "id": name,
        "figure": round(figure),
        "unit": "/s",
        "peer": peer,
        "peer_figure": None if peer_figure is None else round(peer_figure, 1),
        "ratio": None if peer_figure is None else figure / peer_figure,
        "command": COMMAND,
    }
