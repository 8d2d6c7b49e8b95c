"""Goal E: reading raw records. Identity, decision at the head, decryption, durable receipt, proof bundle; everything on this
machine.

A real node with 1 s blocks, the gate under granian with two workers, records of about 1 KB under consents of 100 residents,
requests signed beforehand by 20 practitioners, each record and request its own. The load client runs on the same cores. The
peer is an empty FastAPI route under the same server, workers, connections and client: it does nothing of all that, so the
ratio says what the whole duty costs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
from fastapi import FastAPI
from starlette.applications import Starlette

from benches import load
from core.hexes import to_hex
from core.httpsig import key_id, sign_request
from network.evm.node import free_port
from offchain import standards
from tests.offchain.gate_kit import GateKit, Stored
from tests.support.chains import EvmChain
from tests.support.world import build_world, grant_call

ROOT = Path(__file__).parents[1]
COMMAND = "python -m benches gate"
WORKERS = 2
READ = 10_000
"""Records that are read."""
CHUNK = 1_000
PATH = "/gate/v1/records/read"
NOTE = {"title": "出院小结", "text": "患者因反复咳嗽一周入院，查体双肺呼吸音清，予对症治疗后好转出院，嘱定期复查。" * 9}


def empty() -> FastAPI:
    """The peer: a route that does nothing."""
    app = FastAPI()

    @app.get("/")
    async def nothing() -> dict[str, str]:
        return {}

    return app


def gate() -> Starlette:
    """The gate of the bench's home directory."""
    from gateway.settings import Settings
    from offchain.gate.app import Options, create_app
    from tests.offchain.gate_kit import CODE, Bulletin

    settings = Settings(**json.loads((Path(os.environ["GATE_HOME"]) / "settings.json").read_text()))
    return create_app(settings, CODE, options=Options(publisher=Bulletin()))


class Stage:
    """Everything a reading needs, and signed requests for it."""

    def __init__(self, home: Path, chain: EvmChain, residents: int, doctors: int, records: int, stored: int) -> None:
        """``records`` that are read, drawn from all over ``stored`` ones."""
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.world = world = build_world(chain)
        (home / "contracts.json").write_bytes(chain.contracts_file.read_bytes())
        self.kit = GateKit(world, home, f"http://{self.host}", ledger={"url": chain.url})
        (home / "settings.json").write_text(self.kit.settings.model_dump_json())
        self.doctors = [world.practitioner(world.platform) for _ in range(doctors)]
        people = world.residents(residents)
        signed = [world.sign(p, world.scope(p, world.platform), nonce=0) for p in people]
        world.send(*((world.operator, grant_call(s)) for s in signed))
        self.sealed = {s.scope.subject: (s.consent, self.kit.sealed(s)) for s in signed}
        rows = [(people[n % residents].subject, "clinical-note", _note(n)) for n in range(records)]
        self.stored: list[Stored] = []
        for at in range(0, records, CHUNK):
            chunk = rows[at : at + CHUNK]
            self.kit.put_others(len(chunk) * (stored - records) // records)
            self.stored += self.kit.put_many(chunk)
        self.kit.anchor()
        self._next = 0

    def requests(self, count: int) -> list[bytes]:
        """Requests signed now, each for the next record by the next doctor."""
        return [self._request() for _ in range(count)]

    def _request(self) -> bytes:
        n, self._next = self._next, self._next + 1
        stored, doctor = self.stored[n % len(self.stored)], self.doctors[n % len(self.doctors)]
        consent, sealed = self.sealed[stored.subject]
        request = {"subject": to_hex(stored.subject), "purpose": "TREAT", "record": to_hex(stored.record), "role": "physician"}
        request |= {"schema": to_hex(stored.schema), "category": stored.category, "fields": "all"}
        body = orjson.dumps({"request": request, "consent": to_hex(consent), "artefact": sealed})
        keyid = key_id("practitioner", doctor.id)
        signature = sign_request(doctor.keys.private, keyid, "POST", f"http://{self.host}{PATH}", body, life=300)
        return load.post(self.host, PATH, body, signature)


def _note(n: int) -> dict[str, Any]:
    numbers = standards.by_code("clinical-note").numbers
    return {name: f"{NOTE.get(name, name)} {n}" for name in list(numbers)[:8]} | {k: v for k, v in NOTE.items() if k in numbers}


@contextmanager
def serving(target: str, port: int, ready: str, home: Path | None = None) -> Iterator[int]:
    """A granian with two workers that answers ``ready`` with 200; its process id."""
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "asgi",
        "--factory",
        "--workers",
        str(WORKERS),
        "--port",
        str(port),
    ]
    environment = {**os.environ, "GATE_HOME": str(home)} if home else None
    command += ["--backlog", "2048", "--no-ws", target]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 180
        while not _answers(f"http://127.0.0.1:{port}{ready}"):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{target} did not start")
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(pid: int) -> float:
    """What a process, its children and theirs used of the CPU so far."""
    used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK") + sum(cpu_seconds(int(child)) for child in children)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=60).status_code == 200
    except httpx.HTTPError:
        return False


def rows(quick: bool) -> list[dict[str, Any]]:
    """Closed loop against the empty route, alternating; open loop at 1,000 a second; 500 at once; then more records stored."""
    if quick:
        return _of_size(10_000, lambda stage, peer_port: _measure(stage, peer_port, 2.0, 1))
    found = _of_size(10_000, lambda stage, peer_port: _measure(stage, peer_port, 4.0, 5))
    for size in (100_000, 1_000_000):
        found += _of_size(size, lambda stage, peer_port, n=size: [_closed(stage, peer_port, 4.0, 3, n)[0]])
    return found


def _of_size(stored: int, measure: Callable[[Stage, int], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        chain = EvmChain(home / "chain", block_seconds=1.0)
        try:
            stage = Stage(home, chain, 100, 20, READ, stored)
            peer_port = free_port()
            gates = serving("benches.gate:gate", stage.port, "/gate/v1/health", home)
            with gates as pid, serving("benches.gate:empty", peer_port, "/"):
                load.closed(stage.port, stage.requests(400), 32, 2.0)
                return [*measure(stage, peer_port), _cost(stage, pid, stored)]
        finally:
            chain.close()


def _closed(stage: Stage, peer_port: int, seconds: float, rounds: int, stored: int) -> list[dict[str, Any]]:
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_whole(load.closed(stage.port, stage.requests(int(6000 * seconds)), 64, seconds)))
        theirs.append(load.closed(peer_port, [load.get("peer", "/")] * 64, 64, seconds, repeat=True))
    rate, peer = statistics.median(r.rate for r in ours), statistics.median(r.rate for r in theirs)
    slow, peer_slow = statistics.median(r.percentile(0.99) for r in ours), statistics.median(r.percentile(0.99) for r in theirs)
    name = f"empty FastAPI route, same server and client, {WORKERS} workers"
    what = f"reads, {stored:,} records stored, 64 connections, closed loop"
    return [_row(what, rate, "1/s", name, peer), _row(what, slow, "ms p99", name, peer_slow)]


def _cost(stage: Stage, pid: int, stored: int) -> dict[str, Any]:
    """CPU time of the gate's processes: what stays the same however busy the machine is otherwise, or nearly."""
    before = cpu_seconds(pid)
    read = _whole(load.closed(stage.port, stage.requests(2_000), 64, 60.0))
    milliseconds = (cpu_seconds(pid) - before) * 1000 / len(read.latencies)
    return _row(f"CPU time of the gate a read, {stored:,} records stored", milliseconds, "ms", None, None)


def _measure(stage: Stage, peer_port: int, seconds: float, rounds: int) -> list[dict[str, Any]]:
    steady = _whole(load.scheduled(stage.port, stage.requests(int(1000 * seconds)), 128, 1000))
    crowd = _whole(load.at_once(stage.port, stage.requests(500)))
    return [
        *_closed(stage, peer_port, seconds, rounds, 10_000),
        _row("p50 at 1,000 reads/s, open loop", steady.percentile(0.5), "ms", None, None),
        _row("p99 at 1,000 reads/s, open loop", steady.percentile(0.99), "ms", None, None),
        _row("500 callers at once: last answer", crowd.latencies[-1] * 1000, "ms", "asked for: 3,000 ms", 3000.0),
    ]


def _whole(result: load.Result) -> load.Result:
    """A run counts only without an error."""
    if result.errors:
        raise RuntimeError(f"answers by status: {result.statuses}")
    return result


def _row(what: str, figure: float, unit: str, peer: str | None, peer_figure: float | None) -> dict[str, Any]:
    ratio = figure / peer_figure if peer_figure else None
    return {
        "id": f"E {what}",
        "figure": figure,
        "unit": unit,
        "peer": peer,
        "peer_figure": peer_figure,
        "ratio": ratio,
        "command": COMMAND,
    }
