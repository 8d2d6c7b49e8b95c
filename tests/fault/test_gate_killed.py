"""The gate killed with -9 at every step of a reading, and at none in particular: a receipt for every byte that left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from core import crypto
from core.hexes import to_bytes
from core.receipt import serve_digest
from gateway.ledger.port import Call
from network.evm.node import free_port
from offchain.client import GateClient, GateRefused, practitioner
from offchain.database import open_engine
from offchain.receipts import ReceiptLog
from tests.offchain.gate_kit import GateKit
from tests.offchain.gate_scene import Scene
from tests.support.chains import EvmChain
from tests.support.waiting import until
from tests.support.world import World

pytestmark = pytest.mark.node
ROOT = Path(__file__).parents[2]


class Process:
    """A gate as the supervisor runs it: granian and one worker."""

    def __init__(self, kit: GateKit, port: int, kill_at: str = "") -> None:
        self.url = f"http://127.0.0.1:{port}"
        environment = {**os.environ, "GATE_HOME": str(kit.home), "GATE_KILL_AT": kill_at}
        command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--port", str(port), "--no-access-log"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        target = "tests.fault.gate_process:app"
        self._process = subprocess.Popen([*command, target], cwd=ROOT, env=environment, start_new_session=True, **quiet)
        self._await_ready()

    def _await_ready(self) -> None:
        try:
            until(self._ready)
        except BaseException:
            self.kill()
            raise

    def _ready(self) -> bool:
        assert self._process.poll() is None, "the gate ended"
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/gate/v1/health", trust_env=False, timeout=60).status_code == 200
        return False

    def kill(self) -> None:
        """SIGKILL to server and worker."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, 9)
        self._process.wait()


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture
def kit(world: World, tmp_path: Path, port: int) -> GateKit:
    chain = world.chain
    assert isinstance(chain, EvmChain)
    shutil.copy(world.contracts_file, tmp_path / "contracts.json")
    policy = {"receipt_delay_seconds": 0.2}
    made = GateKit(world, tmp_path, f"http://127.0.0.1:{port}", ledger={"url": chain.url}, policy=policy)
    (tmp_path / "settings.json").write_text(made.settings.model_dump_json())
    return made


@pytest.fixture
def scene(kit: GateKit) -> Scene:
    return Scene(kit, serving=None)  # type: ignore[arg-type]


@contextmanager
def running(scene: Scene, port: int, kill_at: str = "") -> Iterator[GateClient]:
    process = Process(scene.kit, port, kill_at)
    try:
        with httpx.Client(trust_env=False, timeout=60) as http:
            yield GateClient(process.url, practitioner(scene.doctor.id, scene.doctor.keys.private), http)
    finally:
        process.kill()


def read(scene: Scene, client: GateClient) -> object:
    s, consent = scene.stored, scene.consent
    return client.read(s.subject, s.record, s.schema, s.category, consent=consent.consent, artefact=scene.kit.sealed(consent))


def receipts(scene: Scene) -> tuple[list[dict[str, object]], list[bool]]:
    """What survived: receipts (chain checked), and which are known to be delivered."""
    engine = open_engine(f"sqlite:///{scene.kit.home / 'custodians' / 'TEST-SZXYY' / 'receipts.db'}")
    log = ReceiptLog(engine, scene.kit.organisation.id, lambda m: crypto.sm2_sign(scene.kit.organisation.sm2.private, m))
    log.check()
    rows = log.rows(0, 10**6)
    delivered = [log.delivered(r.number) for r in rows]
    log.close()
    return [json.loads(r.json) for r in rows], delivered


@pytest.mark.parametrize("step", ["admitted", "found", "decided", "opened"])
def test_killed_before_the_receipt_nothing_left(scene: Scene, port: int, step: str) -> None:
    with running(scene, port, step) as client, pytest.raises(httpx.TransportError):
        read(scene, client)
    assert receipts(scene) == ([], [])
    with running(scene, port) as client:
        read(scene, client)
    assert len(receipts(scene)[0]) == 1


def test_killed_after_the_receipt_it_stays_undelivered_and_the_request_is_spent(scene: Scene, port: int) -> None:
    with running(scene, port, "receipt") as client, pytest.raises(httpx.TransportError):
        read(scene, client)
    kept, delivered = receipts(scene)
    assert [(r["outcome"], d) for r, d in zip(kept, delivered, strict=True)] == [("permit", False)]
    with running(scene, port) as client:
        read(scene, client)
    kept, _ = receipts(scene)
    assert [r["number"] for r in kept] == [0, 1]


def test_killed_after_spending_a_use_the_use_is_gone_and_nothing_was_read(scene: Scene, port: int) -> None:
    scene.consent = scene.grant(uses=1)
    with running(scene, port, "spent") as client, pytest.raises(httpx.TransportError):
        read(scene, client)
    assert receipts(scene) == ([], [])
    assert scene.world.ledger.read(Call("Consent", "consentOf", {"consent": scene.consent.consent}))["uses"] == 1
    with running(scene, port) as client, pytest.raises(GateRefused, match="uses_exhausted"):
        read(scene, client)


def test_killed_at_any_moment_under_load_every_served_record_has_its_receipt(scene: Scene, port: int) -> None:
    served: list[dict[str, object]] = []

    def reader(client: GateClient) -> None:
        while True:
            try:
                served.append(read(scene, client).bundle)  # type: ignore[attr-defined]
            except httpx.TransportError:
                return

    for more in (1, 20, 45):
        enough, process = len(served) + more, Process(scene.kit, port)
        with httpx.Client(trust_env=False, timeout=60) as http, ThreadPoolExecutor(8) as pool:
            client = GateClient(process.url, practitioner(scene.doctor.id, scene.doctor.keys.private), http)
            running_readers = [pool.submit(reader, client) for _ in range(8)]
            try:
                until(lambda enough=enough: len(served) >= enough, pause=0.001)
            finally:
                process.kill()
            for future in running_readers:
                future.result()
    kept = {r["number"]: r for r in receipts(scene)[0]}
    for bundle in served:
        record, number = bundle["record"], bundle["receipt"]["number"]  # type: ignore[index]
        digest = serve_digest(to_bytes(record["digestSalt"]), record["disclosure"]["values"])
        assert kept[number]["digest"] == f"0x{digest.hex()}"
