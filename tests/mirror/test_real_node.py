"""The follower as a process on a real node: real contracts, kill -9, outages, reorganisations of the chain itself."""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core import crypto, merkle
from core.entry import IndexEntry
from gateway.ledger.evm.open import Limits
from gateway.ledger.port import Call
from gateway.settings import Settings
from mirror.compare import compare_databases, verify
from mirror.database import Database
from mirror.loop import Follower
from mirror.query import tables
from mirror.rebuild import rebuild
from mirror.status import status
from mirror.trace import trace
from tests.support.chains import EvmChain
from tests.support.waiting import until
from tests.support.world import World, build_world

pytestmark = pytest.mark.node
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def chain() -> Iterator[EvmChain]:
    """A node of this test's own, because it will be rolled back and killed."""
    made = EvmChain(limits=Limits(max_head_age=10**9))
    yield made
    made.close()


@pytest.fixture
def world(chain: EvmChain) -> Iterator[World]:
    made = build_world(chain)
    yield made
    made.close()


def settings_for(chain: EvmChain, home: Path, url: str) -> Settings:
    (home / "contracts.json").write_bytes(chain.contracts_file.read_bytes())
    return Settings(home=home, ledger={"url": chain.url}, mirror={"database": url, "poll_seconds": 0.05})


def process(settings: Settings) -> subprocess.Popen[bytes]:
    own = {
        "HEALTHTRUST_HOME": str(settings.home),
        "HEALTHTRUST_LEDGER__URL": settings.ledger.url,
        "HEALTHTRUST_MIRROR__DATABASE": settings.mirror_database(),
        "HEALTHTRUST_MIRROR__POLL_SECONDS": "0.05",
    }
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HEALTHTRUST_")} | own
    with (settings.home / "mirror.log").open("ab") as output:
        return subprocess.Popen([sys.executable, "-m", "mirror"], cwd=ROOT, env=environment, stdout=output, stderr=output)


def life(world: World) -> None:
    """Something of everything the contracts report."""
    resident, doctor = world.resident(), world.practitioner(world.hospital)
    consent = world.grant(resident, world.scope(resident, doctor))
    amended = world.amend(resident, consent, world.scope(resident, doctor, categories={"laboratory"}))
    world.revoke(resident, amended.consent)
    world.anchor(world.hospital, secrets.token_bytes(32), 3)
    request = {"id": secrets.token_bytes(32), "commitment": secrets.token_bytes(32)}
    evidence = {"kind": b"log".ljust(32, b"\0"), "digest": secrets.token_bytes(32)}
    world.send((world.hospital, Call("Access", "request", request)), (world.platform, Call("Evidence", "record", evidence)))


def test_real_contracts_end_to_end(world: World, chain: EvmChain, database_url: str, tmp_path: Path) -> None:
    life(world)
    settings = settings_for(chain, tmp_path, database_url)
    running = process(settings)
    until(lambda: status(settings).lag_blocks == 0 and status(settings).height > 3)
    life(world)
    until(lambda: len(_count(settings, "consent")) == 4)
    running.send_signal(signal.SIGTERM)
    assert running.wait(120) == 0
    assert status(settings).state == "stopped"
    built = rebuild(settings, f"sqlite:///{tmp_path / 'again.db'}")
    assert built.difference is None
    database = Database(database_url)
    assert verify(database) is None
    consent = tables(database, "consent").rows[0]
    steps = [n.type for n in trace(database, consent["subject"]).nodes]
    assert steps == ["key bound", "granted", "amended", "revoked"]
    members = tables(database, "organisation").rows
    assert [m["status"] for m in members] == [1, 1, 1]
    assert {c["name"] for c in tables(database, "contract").rows} >= {"0x" + b"Consent".ljust(32, b"\0").hex()}
    database.close()


def test_entries_travel_in_full(world: World, chain: EvmChain, tmp_path: Path) -> None:
    leaves = [_entry(world.hospital.id, n) for n in range(5)]
    root = merkle.root(merkle.leaf_hashes(leaves))
    args = {"root": root, "firstSequence": 0, "count": 5, "previousRoot": bytes(32), "entries": b"".join(leaves)}
    world.send((world.hospital, Call("DataIndex", "anchorEntries", args)))
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    Follower(world.ledger, database, depth=64).catch_up()
    rows = tables(database, "entry").rows
    assert [r["sequence"] for r in rows] == [0, 1, 2, 3, 4]
    assert [n.type for n in trace(database, rows[3]["record"]).nodes] == ["anchored", "entries published", "indexed"]
    database.close()


def test_killed_again_and_again_while_the_chain_goes_on(world: World, chain: EvmChain, tmp_path: Path) -> None:
    settings, rng = settings_for(chain, tmp_path, f"sqlite:///{tmp_path / 'live.db'}"), random.Random(1)
    for _ in range(6):
        running = process(settings)
        world.anchor(world.hospital, secrets.token_bytes(32), 2)
        world.resident()
        time.sleep(rng.uniform(0.0, 1.2))
        running.kill()
        running.wait()
    running = process(settings)
    until(lambda: status(settings).lag_blocks == 0)
    running.terminate()
    assert running.wait(120) == 0
    assert rebuild(settings, f"sqlite:///{tmp_path / 'again.db'}").difference is None


def test_the_node_goes_away_and_comes_back_older(world: World, chain: EvmChain, tmp_path: Path) -> None:
    """kill -9 of anvil loses up to a second of blocks; other blocks take their place."""
    settings = settings_for(chain, tmp_path, f"sqlite:///{tmp_path / 'live.db'}")
    running = process(settings)
    until(lambda: (tmp_path / "live.db").exists() and status(settings).height > 3)
    for _ in range(3):
        note(world)
        until(lambda: status(settings).lag_blocks == 0)
        chain.crash()
        until(lambda: status(settings).state == "waiting")
        chain.node.start()
        until(lambda: status(settings).state == "following")
        until(lambda: status(settings).lag_blocks == 0)
    running.terminate()
    assert running.wait(120) == 0
    assert rebuild(settings, f"sqlite:///{tmp_path / 'again.db'}").difference is None


def test_reorganisations_of_the_chain_itself(world: World, chain: EvmChain, tmp_path: Path) -> None:
    """anvil replaces its newest blocks by others, with other transactions."""
    live, ledger = Database(f"sqlite:///{tmp_path / 'live.db'}"), chain.open(None)
    unwound: list[str] = []
    follower = Follower(ledger, live, depth=64, watch=lambda step: unwound.append(step) if step == "unwind begin" else None)
    until(lambda: ledger.head().height > 20)
    chain.node.hold()  # else the depth would not be what it says
    rpc(chain, "evm_setAutomine", True)
    depths = (1, 3, 2, 7, 4, 1, 6, 2, 5, 3)
    for depth in depths:
        note(world)
        rpc(chain, "anvil_mine", depth - 1)
        follower.catch_up()
        rpc(chain, "anvil_reorg", depth, [])
        follower.catch_up()
    assert len(unwound) == len(depths)
    with live.read() as connection:
        hashes = connection.exec_driver_sql("SELECT height, hash FROM block").all()
    assert len(hashes) > 20
    again = Database(f"sqlite:///{tmp_path / 'again.db'}")
    Follower(ledger, again, depth=64).catch_up()
    follower.catch_up()
    assert compare_databases(live, again) is None
    assert verify(live) is None
    for closing in (live, again, ledger):
        closing.close()


def rpc(chain: EvmChain, method: str, *params: object) -> object:
    answer = httpx.post(chain.url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}, timeout=60).json()
    assert "error" not in answer, answer
    return answer["result"]


def note(world: World) -> None:
    """One more event, from an account that takes the chain as it is."""
    world.operator.ledger.expect(None)
    evidence = {"kind": b"log".ljust(32, b"\0"), "digest": secrets.token_bytes(32)}
    world.send((world.operator, Call("Evidence", "record", evidence)))


def _count(settings: Settings, table: str) -> list[dict[str, object]]:
    database = Database(settings.mirror_database())
    try:
        return tables(database, table).rows
    finally:
        database.close()


def _entry(organisation: bytes, sequence: int) -> bytes:
    word = crypto.sm3(sequence.to_bytes(8, "big"))
    return IndexEntry(organisation, word, word, word, word, bytes(32), sequence, 1, 3, 0, 1_700_000_000, 1_700_000_001).pack()
