"""Goals B and E2 through REST: one write from the request to its settled operation, and what the ledger holds now.

A real node with 1 s blocks, the gateway under granian with two workers, the worker's sweep beside them. B: an evidence digest is
posted by an organisation, which signs every request; its clock starts before the request and stops when the operation has
succeeded, which takes until the next block. The peer signs and sends the same calls to the same node and stores nothing. E2: a
credential and the head, asked over REST with a session; the peer asks the node the same question itself (eth_call,
eth_getBlockByNumber) with the same load client.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI

from benches import load
from benches.gate import WORKERS, serving
from core.hexes import to_hex
from core.httpsig import key_id, sign_request
from core.words import kind_word
from gateway.client import GatewayClient, Key
from gateway.ledger import outbox
from gateway.ledger.evm.ledger import EvmLedger
from gateway.ledger.port import Call
from gateway.operation.schemas import Accepted
from gateway.settings import Settings
from network.evm.node import free_port
from tests.gateway.house import House, build_house
from tests.support.chains import EvmChain
from tests.support.world import Organisation, await_outcome

COMMAND = "python -m benches gateway"
KIND = "bench"
CLIENTS = 16
MANY = 1_000_000_000
"""Requests a minute that are not limited: the limit is not what is measured."""


def app() -> FastAPI:
    """The gateway of the bench's home directory."""
    from gateway.app import create_app

    return create_app(Settings(**json.loads((Path(os.environ["GATE_HOME"]) / "settings.json").read_text())))


class Stage:
    """A served gateway, an organisation that writes, and a practitioner's session."""

    def __init__(self, home: Path, chain: EvmChain, house: House) -> None:
        self.port, self.chain, self.house = free_port(), chain, house
        self.url, self.host = f"http://127.0.0.1:{self.port}", f"127.0.0.1:{self.port}"
        self.writer: Organisation = house.world.hospital
        (home / "contracts.json").write_bytes(chain.contracts_file.read_bytes())
        settings = Settings(home=home, ledger={"url": chain.url})
        settings.gateway.public_url = self.url
        settings.gateway.requests_per_minute = settings.gateway.open_requests_per_minute = MANY
        (home / "settings.json").write_text(settings.model_dump_json())

    def posts(self, count: int) -> list[bytes]:
        """Signed requests that put digests on the ledger."""
        return [self._post() for _ in range(count)]

    def _post(self) -> bytes:
        path, body = "/api/v1/evidence", orjson.dumps({"kind": KIND, "digest": to_hex(secrets.token_bytes(32))})
        keyid = key_id("organisation", self.writer.id)
        signature = sign_request(self.writer.sm2.private, keyid, "POST", self.url + path, body, life=300)
        return load.post(self.host, path, body, {**signature, "Idempotency-Key": secrets.token_hex(16)})

    def open_writes(self) -> int:
        """Writes that are not settled."""
        with self.house.gateway.sessions() as session:
            waiting = session.query(outbox.Operation).where(outbox.Operation.state.in_(("initialised", "pending")))
            return waiting.count()

    def await_settled(self) -> None:
        """Until none is open. Raises TimeoutError after five minutes."""
        deadline = time.monotonic() + 300
        while self.open_writes():
            if time.monotonic() > deadline:
                raise TimeoutError("writes were not settled in 300 s")
            time.sleep(0.02)


def rows(quick: bool) -> list[dict[str, Any]]:
    """Rows of B and E2."""
    with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
        home = Path(folder)
        chain = EvmChain(home / "chain", block_seconds=1.0)
        house = build_house(chain, home)
        try:
            stage = Stage(home, chain, house)
            with serving("benches.gateway:app", stage.port, "/api/v1/ready", home):
                return [*_writes(stage, 1 if quick else 5), *_queries(stage, 1 if quick else 5, 2.0 if quick else 3.0)]
        finally:
            house.close()
            chain.close()


def _writes(stage: Stage, rounds: int) -> list[dict[str, Any]]:
    count, each = 1_000, 4
    rates = [(_flood(stage, count), _bare_flood(stage, count)) for _ in range(rounds)]
    waits = [(_one_by_one(stage, each), _bare_one_by_one(stage, each)) for _ in range(rounds)]
    ours, theirs = ([s for pair in waits for s in pair[i]] for i in (0, 1))
    peer = "direct client on the same node, nothing stored, nobody asked who it is"
    return [
        _row("B evidence through REST until settled", "writes/s", *_medians(rates), peer),
        _row(f"B one write end to end, {CLIENTS} callers, blocks of 1 s", "s p50", _at(ours, 0.5), _at(theirs, 0.5), peer),
        _row(f"B one write end to end, {CLIENTS} callers, blocks of 1 s", "s p99", _at(ours, 0.99), _at(theirs, 0.99), peer),
    ]


def _flood(stage: Stage, count: int) -> float:
    posts = stage.posts(count)
    began = time.perf_counter()
    result = load.closed(stage.port, posts, 32, 300.0)
    if result.statuses != {202: count}:
        raise RuntimeError(f"answers by status: {result.statuses}")
    stage.await_settled()
    return count / (time.perf_counter() - began)


def _bare_flood(stage: Stage, count: int) -> float:
    ledger = stage.writer.ledger
    began = time.perf_counter()
    first = ledger.prepare(_evidence()).nonce
    prepared = [ledger.prepare(_evidence(), None, first + i) for i in range(count)]
    for start in range(0, count, outbox.BATCH):
        ledger.submit(prepared[start : start + outbox.BATCH])
    for one in prepared:
        await_outcome(ledger, one.id)
    return count / (time.perf_counter() - began)


def _one_by_one(stage: Stage, each: int) -> list[float]:
    def writer(_number: int) -> list[float]:
        with GatewayClient(stage.url) as client:
            client.sign_as(Key.of("organisation", stage.writer.id, stage.writer.sm2.private))
            return [_seconds(lambda: client.wait(_record(client))) for _ in range(each)]

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [s for taken in pool.map(writer, range(CLIENTS)) for s in taken]


def _bare_one_by_one(stage: Stage, each: int) -> list[float]:
    """One caller: several of one account would have to agree on nonces, which is what the outbox does."""
    ledger = stage.writer.ledger

    def write() -> None:
        prepared = ledger.prepare(_evidence())
        ledger.submit(prepared)
        await_outcome(ledger, prepared.id)

    return [_seconds(write) for _ in range(each)]


def _record(client: GatewayClient) -> Accepted:
    body = {"kind": KIND, "digest": to_hex(secrets.token_bytes(32))}
    return Accepted.model_validate(client.call("POST", "/evidence", body=body))


def _evidence() -> Call:
    return Call("Evidence", "record", {"kind": kind_word(KIND), "digest": secrets.token_bytes(32)})


def _queries(stage: Stage, rounds: int, seconds: float) -> list[dict[str, Any]]:
    doctor = stage.house.world.practitioner(stage.house.world.hospital)
    with GatewayClient(stage.url) as client:
        token = str(client.log_in(Key.of("practitioner", doctor.id, doctor.keys.private)).token)
    call = Call("Identity", "credentialOf", {"practitioner": doctor.id})
    ledger = stage.writer.ledger
    assert isinstance(ledger, EvmLedger)
    transaction = ledger.question(call)
    asked = {
        "credential": (f"credentials/{to_hex(doctor.id)}", "eth_call", [transaction, "latest"]),
        "head": ("blocks/head", "eth_getBlockByNumber", ["latest", False]),
    }
    found = []
    for name, (path, method, params) in asked.items():
        ours = [_with_token(stage.host, f"/api/v1/{path}", token)] * 64
        rpc = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        theirs = [load.post("node", "/", rpc, {})] * 64
        results = [(_asked(stage.port, ours, seconds), _asked(stage.chain.node.port, theirs, seconds)) for _ in range(rounds)]
        peer = f"{method} asked of the node itself, same client"
        rates = [(a.rate, b.rate) for a, b in results]
        slow = [(a.percentile(0.99), b.percentile(0.99)) for a, b in results]
        found.append(_row(f"E2 {name} over REST, 64 connections, {WORKERS} workers", "1/s", *_medians(rates), peer))
        found.append(_row(f"E2 {name} over REST, 64 connections, {WORKERS} workers", "ms p99", *_medians(slow), peer))
    return found


def _asked(port: int, requests: list[bytes], seconds: float) -> load.Result:
    result = load.closed(port, requests, 64, seconds, repeat=True)
    if result.errors:
        raise RuntimeError(f"answers by status: {result.statuses}")
    return result


def _with_token(host: str, path: str, token: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n".encode()


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _at(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _medians(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def _row(id: str, unit: str, figure: float, peer_figure: float, peer: str) -> dict[str, Any]:
    ratio = figure / peer_figure
    return {
        "id": id,
        "figure": figure,
        "unit": unit,
        "peer": peer,
        "peer_figure": peer_figure,
        "ratio": ratio,
        "command": COMMAND,
    }
