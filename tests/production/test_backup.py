"""A hospital's host is lost and comes back from its backup, on the same chain; from one too old it says so and serves nothing."""

from __future__ import annotations

import copy
import time
from pathlib import Path

import httpx
import pytest
from click.testing import Result
from sqlalchemy import select
from typer.testing import CliRunner

from gateway.ledger import outbox
from gateway.ledger.port import Call
from gateway.settings import load
from healthtrust import cli
from healthtrust.backup.behind import behind
from healthtrust.backup.databases import DatabaseNotCopied, copy_in, copy_out, is_there
from healthtrust.backup.make import backup
from healthtrust.backup.restore import restore
from mirror.rebuild import compare_with_node
from offchain.anchor import Anchorer
from offchain.client import GateClient, GateRefused
from offchain.database import close, custodian_sessions
from offchain.intake.writer import Writer
from offchain.stores.files import FileStore
from tests.offchain.gate_kit import CODE, URL, GateKit, Serving, practitioner
from tests.offchain.gate_scene import PATIENT, Scene, patiently
from tests.production.mirrors import follow
from tests.support.chains import EvmChain
from tests.support.postgres import Server
from tests.support.waiting import until
from tests.support.world import World

PASSPHRASE = "a passphrase of a test"
SKEW_SECONDS = 5


class Kept(httpx.BaseTransport):
    """Passes requests on, and keeps the last: what somebody on the line has."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self.last: httpx.Request | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.last = request
        return self._http.send(httpx.Request(request.method, request.url, headers=request.headers, content=request.content))


class Host:
    """A hospital's host, its backups, and those that were restored from them."""

    def __init__(self, world: World, chain: EvmChain, folder: Path) -> None:
        self.folder = folder
        self.world = world
        home = folder / "first"
        home.mkdir()
        (home / "contracts.json").write_bytes(world.contracts_file.read_bytes())
        (home / "settings.toml").write_text(f"[policy]\nclock_skew_seconds = {SKEW_SECONDS}\n")
        self.kit = GateKit(world, home, ledger={"url": chain.url, "max_head_age_seconds": 600}, **PATIENT)

    def back_up(self, name: str) -> Path:
        backup(self.kit.settings, self.folder / name, PASSPHRASE)
        return self.folder / name

    def restored(self, source: Path) -> GateKit:
        """The hospital on another host."""
        home = self.folder / f"from-{source.name}"
        restore(home, source, PASSPHRASE)
        kit = copy.copy(self.kit)
        kit.home, kit.settings = home, self.kit.settings.model_copy(update={"home": home})
        kit.sessions, kit.store = (
            custodian_sessions(kit.settings.custodian_database(CODE)),
            FileStore(home / "custodians" / CODE / "records"),
        )
        kit.anchorer = Anchorer(kit.organisation.id, kit.sessions, home / "custodians" / CODE / "trees")
        kit._writer = Writer(kit.sessions, kit.store, kit.envelope, "test", 1)
        return kit


def anchored(kit: GateKit) -> int:
    """Receipts the ledger has of the hospital."""
    return int(kit.organisation.ledger.read(Call("Access", "receiptsOf", {"organisation": kit.organisation.id}))["nextNumber"])


def read_and_anchor(scene: Scene) -> None:
    scene.read()
    until(lambda: anchored(scene.kit) == scene.serving.gate.log.head()[0])


def accepts(kit: GateKit) -> None:
    """Wait until the restored gate's clock has left behind what may have been signed before."""
    until(lambda: time.time() > kit.settings.forgotten_before())


@pytest.fixture
def host(shared_world: World, evm_chain: EvmChain, tmp_path: Path) -> Host:
    return Host(shared_world, evm_chain, tmp_path)


@pytest.mark.node
def test_a_lost_host_comes_back_and_one_from_too_old_a_backup_serves_nothing(host: Host) -> None:
    with host.kit.serve() as serving:
        scene = Scene(host.kit, serving)
        read_and_anchor(scene)
        follow(host.kit.settings)
        early = host.back_up("early")
        line = Kept(serving.http)
        asked = {"subject": scene.stored.subject, "record": scene.stored.record, "schema": scene.stored.schema}
        asked |= {"category": scene.stored.category, "consent": scene.consent.consent, "artefact": host.kit.sealed(scene.consent)}
        client = GateClient(
            URL, practitioner(scene.doctor.id, scene.doctor.keys.private), httpx.Client(transport=line), time.time
        )
        client.read(**asked)
        host.kit.put(scene.resident)
        host.kit.anchor()
        read_and_anchor(scene)
        late = host.back_up("late")
        receipts = len(serving.receipts())
    close(host.kit.sessions)
    # Gone in one step: a thread of the gate may still be closing its files.
    host.kit.home.rename(host.folder / "lost")
    assert line.last is not None

    _too_old(host, scene, early, receipts)
    _goes_on(host.restored(late), scene, receipts, line.last)


def _too_old(host: Host, scene: Scene, source: Path, receipts: int) -> None:
    kit = host.restored(source)
    found = {one.code: one for one in behind(kit.settings)}[CODE]
    assert (found.receipts, found.batches) == (receipts - 1, 1)
    accepts(kit)
    with kit.serve() as serving:
        refusal = patiently(lambda: _refusal(scene, kit, serving), lambda said: said is not None)
        assert refusal is not None
        assert refusal.code == "gate_stopped"
        assert serving.http.get(f"{URL}/gate/v1/health").status_code == 503
    assert anchored(kit) == receipts


def _refusal(scene: Scene, kit: GateKit, serving: Serving) -> GateRefused | None:
    here = copy.copy(scene)
    here.kit, here.serving = kit, serving
    try:
        here.read()
    except GateRefused as refused:
        return refused
    return None


def _goes_on(kit: GateKit, scene: Scene, receipts: int, old: httpx.Request) -> None:
    assert all(one.whole for one in behind(kit.settings))
    accepts(kit)
    with kit.serve() as serving:
        here = copy.copy(scene)
        here.kit, here.serving = kit, serving
        patiently(lambda: _refusal(here, kit, serving), lambda refused: refused is None)
        read_and_anchor(here)
        replayed = serving.http.send(httpx.Request(old.method, old.url, headers=old.headers, content=old.content))
        assert (replayed.status_code, replayed.json()["code"]) == (401, "request_too_old")
        newer = kit.put(here.resident)
        kit.anchor()
        assert here.read(newer).elements == newer.values
        numbers = [receipt["number"] for receipt in serving.receipts()]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > receipts
    follow(kit.settings)
    assert compare_with_node(kit.settings, kit.settings.mirror_database()) is None
    close(kit.sessions)


@pytest.mark.postgres
def test_a_postgres_database_comes_back_into_an_empty_one_only(postgres: Server, tmp_path: Path) -> None:
    source, target = postgres.url(postgres.create_database()), postgres.url("restored")
    sessions = custodian_sessions(source)
    with sessions.begin() as session:
        outbox.enqueue(session, "a-key", "evidence", Call("Evidence", "record", {"kind": bytes(32), "digest": bytes(32)}))
    close(sessions)
    copy_out(source, tmp_path / "copy")
    copy_in(tmp_path / "copy", target)
    assert is_there(target)
    restored = custodian_sessions(target)
    with restored() as session:
        assert session.scalars(select(outbox.Operation.key)).all() == ["a-key"]
    close(restored)
    with pytest.raises(DatabaseNotCopied, match="is there already"):
        copy_in(tmp_path / "copy", target)
    postgres.drop_database("restored")


def test_the_commands_say_what_they_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(home: Path, *arguments: str) -> Result:
        load.cache_clear()
        return CliRunner().invoke(cli.app, ["--home", str(home), *arguments], env={"HEALTHTRUST_BACKUP_PASSPHRASE": PASSPHRASE})

    monkeypatch.setenv("HEALTHTRUST_HOME", str(tmp_path))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "checkpoint.json").write_text("{}")
    assert "1 files, " in run(tmp_path / "home", "backup", str(tmp_path / "copy")).output
    assert "next: `healthtrust behind`" in run(tmp_path / "new", "restore", str(tmp_path / "copy")).output
    assert (tmp_path / "new" / "checkpoint.json").read_text() == "{}"
    load.cache_clear()
