"""The worker as it is run: Celery in a process of its own, files as broker, a real node."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.app import create_app
from gateway.broker import make_celery
from gateway.settings import Settings
from gateway.worker import housekeep, sweep
from tests.gateway.house import House, build_house
from tests.support.chains import EvmChain

pytestmark = pytest.mark.node


@pytest.fixture
def house(evm_chain: EvmChain, tmp_path: Path) -> Iterator[House]:
    made = build_house(evm_chain, tmp_path / "home", worker=False)
    yield made
    made.close()


@pytest.fixture
def worker(evm_chain: EvmChain, house: House) -> Iterator[subprocess.Popen[bytes]]:
    (house.home / "contracts.json").write_bytes(house.world.contracts_file.read_bytes())
    env = {**os.environ, "HEALTHTRUST_HOME": str(house.home), "HEALTHTRUST_LEDGER__URL": evm_chain.url}
    process = subprocess.Popen([sys.executable, "-m", "gateway.worker"], env=env, stderr=subprocess.PIPE)
    yield process
    process.terminate()
    process.communicate(timeout=120)


def test_a_write_is_sent_by_the_worker_and_none_is_lost_with_it(house: House, worker: subprocess.Popen[bytes]) -> None:
    settings = house.gateway.settings
    house.app = create_app(settings, house.gateway.ledger)
    client = house.as_organisation(house.world.platform)
    body = {"kind": "test", "digest": "0x" + "11" * 32}
    made = [client.call("POST", "/evidence", body=body)["operation"]["id"] for _ in range(5)]
    for id in made:
        assert client.wait(client.operation(id), seconds=120).state == "succeeded"
    assert worker.poll() is None
    # Its beat too: a process beside it would be left by a kill, and send for ever.
    assert Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text() == ""


def test_tasks_may_run_at_any_time_twice(house: House) -> None:
    for _ in range(2):
        sweep(house.gateway)
        housekeep(house.gateway)


def test_the_broker_is_a_private_folder_or_what_the_settings_say(tmp_path: Path) -> None:
    files = make_celery(Settings(home=tmp_path)).conf
    folder = Path(files.broker_transport_options["data_folder_in"])
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o077 == 0
    redis = make_celery(Settings(home=tmp_path, broker="redis://127.0.0.1:1/0")).conf
    assert redis.broker_url == "redis://127.0.0.1:1/0"
