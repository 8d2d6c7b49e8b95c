"""Goal C: the mirror's cold catch-up from a real node, beside a scan that stores nothing; one block with 50,000 events; lag.

The events are ``AccessRequested`` in their real form, emitted by a small contract in Access's place, because 50,000 signed
requests would measure the node's transaction pool. Every one is decoded, projected into a versioned row, indexed, hashed and
committed with ``synchronous=FULL``, one transaction a block.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import urllib3
from eth_account import Account
from eth_utils.address import to_checksum_address

from contracts.script.compile import build
from contracts.script.deploy import Member, deploy
from core import crypto
from gateway.heap import collect_rarely
from gateway.ledger.evm.ledger import EvmLedger
from gateway.ledger.evm.open import Deployment, Limits, connect
from mirror.database import Database
from mirror.loop import Follower, follow
from network.evm.node import Node

ROUNDS = 5
BLOCK_EVENTS = 1000
PEER = "eth_getLogs into memory"
EVENTS_A_TRANSACTION = 200
COMMAND = "python -m benches mirror"
# for n = calldata word 0 down to 1: log3(data = the seed, topic word 1, keccak(seed ‖ n), word 2); the seed is word 3
EMITTER = bytes.fromhex("6060356000526000355b8015602a576001900380602052604035604060002060203560206000a36009565b00")
SCAN_BLOCKS = 50


class BenchChain:
    """A node that mines when told, with the platform's contracts and the emitter in Access's place."""

    def __init__(self, home: Path) -> None:
        self.node = Node(home / "node", 0, block_seconds=0.2).start()
        self._http = urllib3.PoolManager(timeout=60.0, retries=False)
        build()
        pair, self._key = crypto.sm2_generate(), b"\0" + secrets.token_bytes(31)
        sign = partial(crypto.sm2_sign, pair.private)
        member = Member(secrets.token_bytes(32), "BENCH", pair.public[:32], pair.public[32:], 31, sign)
        deploy(self.node.url, self._key, "bench", member, home / "contracts.json")
        self.node.hold()
        self._account = Account.from_key(self._key)
        self._nonce = int(self.rpc("eth_getTransactionCount", self._account.address, "latest"), 16)
        self._emitter = self._deploy_emitter()
        known = Deployment.parse(json.loads((home / "contracts.json").read_text()))
        self.deployment = replace(known, contracts={**known.contracts, "Access": self._emitter})
        with self.ledger() as ledger:
            specs = ledger._ctx.abis.events.values()
            self._topic = bytes.fromhex(next(s.topic for s in specs if s.name == "AccessRequested")[2:])

    def rpc(self, method: str, *params: Any) -> Any:
        """One JSON-RPC call."""
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        answer = orjson.loads(
            self._http.request("POST", self.node.url, body=body, headers={"content-type": "application/json"}).data
        )
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    @contextmanager
    def ledger(self) -> Iterator[EvmLedger]:
        """A read-only connection."""
        ledger = EvmLedger(connect(self.node.url, self.deployment, None, Limits(60.0, 1e9)))
        try:
            yield ledger
        finally:
            ledger.close()

    def block(self, events: int) -> None:
        """Mine one block with so many events."""
        while events > 0:
            count = min(events, EVENTS_A_TRANSACTION)
            words = [count.to_bytes(32, "big"), self._topic, b"\1" * 32, secrets.token_bytes(32)]
            self._send({"to": to_checksum_address(self._emitter), "data": b"".join(words), "gas": 2_000_000})
            events -= count
        self.rpc("evm_mine")

    def _deploy_emitter(self) -> str:
        # codesize − 12 bytes of constructor: copy what follows and return it
        constructor = bytes.fromhex(f"60{len(EMITTER):02x}600c60003960{len(EMITTER):02x}6000f3")
        id = self._send({"data": constructor + EMITTER, "gas": 1_000_000})
        self.rpc("evm_mine")
        return str(self.rpc("eth_getTransactionReceipt", id)["contractAddress"])

    def _send(self, fields: dict[str, Any]) -> str:
        signed = self._account.sign_transaction(
            {**fields, "nonce": self._nonce, "gasPrice": 0, "value": 0, "chainId": self.node.chain_id}
        )
        self._nonce += 1
        return str(self.rpc("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex()))

    def scan(self) -> int:
        """The peer: every log of the chain read and cut into numbers and bytes, in memory; answers how many."""
        seen: list[tuple[Any, ...]] = []
        head = int(self.rpc("eth_blockNumber"), 16)
        for start in range(0, head + 1, SCAN_BLOCKS):
            wanted = {"fromBlock": hex(start), "toBlock": hex(min(head, start + SCAN_BLOCKS - 1)), "address": self._emitter}
            for log in self.rpc("eth_getLogs", wanted):
                words = [bytes.fromhex(t[2:]) for t in (*log["topics"], log["data"], log["blockHash"], log["transactionHash"])]
                seen.append((int(log["blockNumber"], 16), int(log["logIndex"], 16), *words))
        return len(seen)

    def close(self) -> None:
        """Stop the node."""
        self.node.stop()


def rows(quick: bool) -> list[dict[str, Any]]:
    """Rows for docs/benchmarks.json at growing numbers of events (one when quick)."""
    sizes, events, rounds = ((10_000,), 5_000, 1) if quick else ((10_000, 100_000, 1_000_000), 50_000, ROUNDS)
    collect_rarely()  # as `python -m mirror` does
    with tempfile.TemporaryDirectory(prefix="bench-mirror-") as folder:
        home = Path(folder)
        chain = BenchChain(home)
        try:
            out, held = [], 0
            for size in sizes:
                for _ in range((size - held) // BLOCK_EVENTS):
                    chain.block(BLOCK_EVENTS)
                held = size
                out += _catch_up(chain, home / str(size), size, rounds if size < 1_000_000 else 1)
            out += _lag(chain, home, 20 if quick else 100)
            chain.block(events)
            return [*out, *_one_block(chain, home, events, 1 if quick else 3)]
        finally:
            chain.close()


def _catch_up(chain: BenchChain, home: Path, events: int, rounds: int) -> list[dict[str, Any]]:
    home.mkdir()
    urls = {"SQLite": ""}
    if postgres := os.environ.get("HEALTHTRUST_BENCH_POSTGRES"):
        urls["PostgreSQL"] = postgres
    ours: dict[str, list[float]] = {name: [] for name in urls}
    theirs: list[float] = []
    for n in range(rounds):
        theirs.append(events / _timed(chain.scan))
        for name, url in urls.items():
            ours[name].append(events / _follow_once(chain, url or f"sqlite:///{home / f'cold-{n}.db'}"))
    peer = statistics.median(theirs)
    return [
        _row(f"C cold catch-up of {events:,} events, durable, {name}", statistics.median(figures), "events/s", PEER, peer)
        for name, figures in ours.items()
    ]


def _follow_once(chain: BenchChain, url: str) -> float:
    database = Database(url)
    with chain.ledger() as ledger:
        if not database.sqlite:
            with database.write() as connection:
                connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        follower = Follower(ledger, database, depth=64)
        seconds = _timed(follower.catch_up)
    database.close()
    return seconds


def _one_block(chain: BenchChain, home: Path, events: int, rounds: int) -> list[dict[str, Any]]:
    seconds = []
    for n in range(rounds):
        database = Database(f"sqlite:///{home / f'big-{n}.db'}")
        with chain.ledger() as ledger:
            follower = Follower(ledger, database, depth=64)
            before = int(chain.rpc("eth_blockNumber"), 16) - 1
            all_but_last = _until(ledger, before)
            follower.ledger = all_but_last
            follower.catch_up()
            follower.ledger = ledger
            seconds.append(_timed(follower.catch_up))
        database.close()
    return [
        _row(f"C {events:,} events in one block, durable, SQLite", events / statistics.median(seconds), "events/s", None, None)
    ]


class _Until(EvmLedger):
    """A ledger whose head is held back."""

    held: int

    def head(self) -> Any:
        return self.block(self.held)


def _until(ledger: EvmLedger, height: int) -> EvmLedger:
    held = _Until(ledger._ctx)
    held.held = height
    return held


def _lag(chain: BenchChain, home: Path, blocks: int) -> list[dict[str, Any]]:
    database, stop, lags = Database(f"sqlite:///{home / 'lag.db'}"), threading.Event(), []
    with chain.ledger() as ledger:
        follower = Follower(ledger, database, depth=64)
        follower.catch_up()
        thread = threading.Thread(target=follow, args=(follower, stop, 0.25))
        thread.start()
        for _ in range(blocks):
            chain.block(100)
            mined, height = time.perf_counter(), int(chain.rpc("eth_blockNumber"), 16)
            while follower.cursor.height < height:
                time.sleep(0.002)
            lags.append((time.perf_counter() - mined) * 1000)
            time.sleep(secrets.randbelow(50) / 1000)
        stop.set()
        thread.join()
    database.close()
    return [_row("C block to committed, polling every 250 ms", sorted(lags)[int(len(lags) * 0.99) - 1], "ms p99", None, None)]


def _timed(work: Any) -> float:
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
