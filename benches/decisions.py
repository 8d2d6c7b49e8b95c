"""Goal D over HTTP: may I read these, and which fields? (``POST /gate/v1/decisions``) beside OpenFGA with as many tuples.

A validator of the consortium's program with 1 s blocks holds the consents; the gate runs under granian with two workers, which
keep nothing from block to block. Every call is signed by a practitioner and verified, its nonce made durable; every ask names a
consent drawn from all and brings the opened scope, which is hashed and compared with the ledger's commitment. OpenFGA keeps its
tuples in memory and is asked by anybody who reaches its port: neither identity, nor replay protection, nor a ledger. Node, gate,
peer and load client share the machine's cores.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson

from benches import load, peers
from benches.chains import Held, SeededChain
from benches.gate import serving
from core.crypto import sm3
from core.hexes import to_hex
from core.httpsig import key_id, sign_request
from network.evm.node import free_port
from tests.offchain.gate_kit import GateKit
from tests.support.chains import EvmChain
from tests.support.world import Practitioner, build_world

COMMAND = "python -m benches decisions"
PATH = "/gate/v1/decisions"
BLOCK_SECONDS = 1.0
BATCH = 50
"""What OpenFGA takes at most in one call."""
STEADY = 5_000
PEER_HOLDS = 100_000
"""Tuples up to which the peer is asked: its store in memory takes the longer for each the more it holds, hours for a million."""
PEER = "OpenFGA 1.8.16, tuples in memory, one hop, no caller identity"


class Doctor:
    """Signs calls about consents drawn from those held."""

    def __init__(self, person: Practitioner, host: str, held: Sequence[Held]) -> None:
        self._person = person
        self._host = host
        self._held = held
        self._drawn = random.Random(7)
        self._record, self._schema = to_hex(sm3(b"record")), to_hex(sm3(b"schema"))

    def calls(self, count: int, asks: int) -> list[bytes]:
        """So many calls of so many asks each, signed now."""
        return [self._call(self._drawn.sample(self._held, asks)) for _ in range(count)]

    def _call(self, drawn: Sequence[Held]) -> bytes:
        consents = [{"consent": to_hex(h.consent), "words": to_hex(h.words), "salt": to_hex(h.salt)} for h in drawn]
        body = orjson.dumps({"consents": consents, "asks": [self._ask(h) for h in drawn]})
        keyid = key_id("practitioner", self._person.id)
        signature = sign_request(self._person.keys.private, keyid, "POST", f"http://{self._host}{PATH}", body, life=300)
        return load.post(self._host, PATH, body, signature)

    def _ask(self, held: Held) -> dict[str, Any]:
        named = {"subject": to_hex(held.subject), "record": self._record, "schema": self._schema, "consent": to_hex(held.consent)}
        return {**named, "purpose": "TREAT", "category": "laboratory", "fields": [1, 2, 3], "role": "physician"}


class OpenFga:
    """A running server with one tuple a consent: hospital's members may see the consent's record."""

    def __init__(self, port: int, tuples: int) -> None:
        self.port = port
        self._tuples = tuples
        self._host = f"127.0.0.1:{port}"
        self._drawn = random.Random(7)
        self._store = self._post("/stores", {"name": "bench"})["id"]
        self._model = self._post(f"/stores/{self._store}/authorization-models", MODEL)["authorization_model_id"]
        self._write()
        if not self._post(f"/stores/{self._store}/check", self._check(0))["allowed"]:
            raise AssertionError("the peer must permit, or it is not the same question")

    def calls(self, count: int, asks: int) -> list[bytes]:
        """So many calls; ``batch-check`` where there is more than one ask."""
        return [self._call(self._drawn.sample(range(self._tuples), asks)) for _ in range(count)]

    def _call(self, drawn: Sequence[int]) -> bytes:
        if len(drawn) == 1:
            return self._prepared("check", self._check(drawn[0]))
        checks = [{**self._check(n), "correlation_id": str(n)} for n in drawn]
        for check in checks:
            del check["authorization_model_id"]
        return self._prepared("batch-check", {"checks": checks, "authorization_model_id": self._model})

    def _check(self, n: int) -> dict[str, Any]:
        key = {"user": "user:doctor", "relation": "viewer", "object": f"record:{n}"}
        return {"tuple_key": key, "authorization_model_id": self._model}

    def _write(self) -> None:
        keys = [{"user": "org:hospital#member", "relation": "viewer", "object": f"record:{n}"} for n in range(self._tuples)]
        keys.insert(0, {"user": "user:doctor", "relation": "member", "object": "org:hospital"})
        calls = [
            self._prepared("write", {"writes": {"tuple_keys": keys[at : at + 100]}, "authorization_model_id": self._model})
            for at in range(0, len(keys), 100)
        ]
        result = _whole(load.closed(self.port, calls, 8, 300.0))
        if len(result.latencies) != len(calls):
            raise RuntimeError(f"the peer took {len(result.latencies)} of {len(calls)} writes in 300 s")

    def _prepared(self, verb: str, document: dict[str, Any]) -> bytes:
        return load.post(self._host, f"/stores/{self._store}/{verb}", orjson.dumps(document), {})

    def _post(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        answer = httpx.post(f"http://{self._host}{path}", json=document, trust_env=False).raise_for_status()
        return dict(answer.json())


MODEL: dict[str, Any] = {
    "schema_version": "1.1",
    "type_definitions": [
        {"type": "user"},
        {
            "type": "org",
            "relations": {"member": {"this": {}}},
            "metadata": {"relations": {"member": {"directly_related_user_types": [{"type": "user"}]}}},
        },
        {
            "type": "record",
            "relations": {"viewer": {"this": {}}},
            "metadata": {"relations": {"viewer": {"directly_related_user_types": [{"type": "org", "relation": "member"}]}}},
        },
    ],
}


@contextmanager
def openfga(binary: Path | None, tuples: int) -> Iterator[OpenFga | None]:
    """The peer with its tuples; None where it could not be built."""
    if binary is None:
        yield None
        return
    port = free_port()
    flags = ["--http-addr", f"127.0.0.1:{port}", "--grpc-addr", f"127.0.0.1:{free_port()}", "--log-level", "none"]
    flags += ["--playground-enabled=false", "--metrics-enabled=false", "--request-timeout=60s", "--http-upstream-timeout=60s"]
    process = subprocess.Popen([binary, "run", *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not _healthy(port):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("OpenFGA did not start")
            time.sleep(0.1)
        yield OpenFga(port, tuples)
    finally:
        process.terminate()
        process.wait()


def _healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def rows(quick: bool) -> list[dict[str, Any]]:
    """At growing numbers of consents: closed loop in batches and one by one, open loop's p99."""
    sizes = (10_000,) if quick else (10_000, 100_000, 1_000_000)
    binary = peers.program(peers.OPENFGA)
    return [row for size in sizes for row in _of_size(size, binary, 1 if quick else 3, 2.0 if quick else 3.0)]


def _of_size(size: int, binary: Path | None, rounds: int, seconds: float) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="decisions-") as folder:
        home, port = Path(folder), free_port()
        host = f"127.0.0.1:{port}"
        with closing(EvmChain(home / "founded")) as before:
            world = build_world(before)
            person, resident = world.practitioner(world.platform), world.resident()
            chain = SeededChain(before, world.scope(resident, person), size, BLOCK_SECONDS)
        with closing(chain):
            (home / "contracts.json").write_text(chain.contracts)
            kit = GateKit(world, home, f"http://{host}", ledger={"url": chain.url})
            (home / "settings.json").write_text(kit.settings.model_dump_json())
            doctor = Doctor(person, host, chain.held)
            held_by_peer = binary if size <= PEER_HOLDS else None
            with serving("benches.gate:gate", port, "/gate/v1/health", home), openfga(held_by_peer, size) as peer:
                _sane(port, doctor)
                return _measure(size, port, doctor, peer, rounds, seconds)


def _sane(port: int, doctor: Doctor) -> None:
    """A figure about refusals would be about nothing: every answer of one call is a permit of the three fields asked for."""
    head, _, body = doctor.calls(1, BATCH)[0].partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    answer = httpx.post(f"http://127.0.0.1:{port}{PATH}", content=body, headers=headers, trust_env=False).raise_for_status()
    said = {(d["outcome"], int(d["fields"], 16)) for d in answer.json()["decisions"]}
    if said != {("permit", 0b111)}:
        raise AssertionError(f"the gate says {said}")


def _measure(size: int, port: int, doctor: Doctor, peer: OpenFga | None, rounds: int, seconds: float) -> list[dict[str, Any]]:
    def alternating(run: Callable[[int, Doctor | OpenFga], float]) -> tuple[float, float | None]:
        pairs = [(run(port, doctor), run(peer.port, peer) if peer else 0.0) for _ in range(rounds)]
        theirs = statistics.median(p[1] for p in pairs) if peer else None
        return statistics.median(p[0] for p in pairs), theirs

    def closed(asks: int, most: int, connections: int) -> Callable[[int, Doctor | OpenFga], float]:
        return lambda at, of: asks * _whole(load.closed(at, of.calls(int(most * seconds), asks), connections, seconds)).rate

    def steady(at: int, of: Doctor | OpenFga) -> float:
        calls = of.calls(int(STEADY * seconds / BATCH), BATCH)
        return _whole(load.scheduled(at, calls, 32, STEADY / BATCH)).percentile(0.99)

    load.closed(port, doctor.calls(50, BATCH), 4, seconds)
    name = f"D decide over HTTP, {size:,} consents"
    return [
        _row(f"{name}, {BATCH} asks a call, closed loop", "decisions/s", *alternating(closed(BATCH, 600, 8))),
        _row(f"{name}, one ask a call, closed loop", "decisions/s", *alternating(closed(1, 6_000, 32))),
        _row(f"{name}, {BATCH} asks a call, open loop at {STEADY:,}/s", "ms p99", *alternating(steady)),
    ]


def _whole(result: load.Result) -> load.Result:
    if result.errors:
        raise RuntimeError(f"answers by status: {result.statuses}")
    return result


def _row(id: str, unit: str, figure: float, peer_figure: float | None) -> dict[str, Any]:
    ratio = figure / peer_figure if peer_figure else None
    named = {"peer": PEER if peer_figure else None, "peer_figure": peer_figure, "ratio": ratio}
    return {"id": id, "figure": figure, "unit": unit, **named, "command": COMMAND}
