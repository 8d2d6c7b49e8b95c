"""The nightly collection put together: imported, anchored, told, alarmed; without a node; killed in the middle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.ledger.factory import found_in_memory
from gateway.settings import Settings
from healthtrust.collection import collect, look, status, text
from healthtrust.custody import holdings, keyring
from healthtrust.platform import services
from network.attach import attached
from offchain.claim import claimed
from offchain.models import Delivery, Record
from tests.offchain.gate_kit import CODE, GateKit
from tests.offchain.test_intake_sources import PATIENT, condition, ndjson
from tests.support.chains import DoubleChain
from tests.support.waiting import until
from tests.support.world import build_world

NIGHT = datetime(2026, 11, 22, 2, 0).astimezone()


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """A hospital with an inbox on the in-memory ledger; no gateway answers."""
    chain = DoubleChain()
    world = build_world(chain)
    home = GateKit(world, tmp_path / "home").home
    assert chain.chain is not None
    found_in_memory(home, chain.chain)
    yield settings_of(home, "memory")
    world.close()


def settings_of(home: Path, ledger: str) -> Settings:
    gate = {"code": CODE, "name": "测试医院", "inbox": str(home / "inbox")}
    nobody = {"public_url": "http://127.0.0.1:9"}
    return Settings(home=home, gates=[gate], gateway=nobody, ledger={"kind": ledger}, collection={"settle_seconds": 0})


def deliver(settings: Settings, name: str, *resources: object, source: str = "his") -> None:
    folder = Path(settings.gates[0].inbox) / source / name
    folder.mkdir(parents=True)
    ndjson(folder / "all.ndjson", *resources)


def test_what_was_delivered_is_imported_anchored_and_told(settings: Settings) -> None:
    deliver(settings, "2026-11-21", PATIENT, b"{", condition(1))
    with capture_logs() as said:
        (taken,) = collect(settings, CODE)
    assert [(line["event"], line["log_level"]) for line in said] == [
        ("delivery_imported", "info"),
        ("handing_on_waits", "warning"),  # the index at the gateway, which does not answer
    ]
    found = status(settings, CODE)
    (source,) = found["sources"]
    assert (found["ok"], source["source"], source["overdue"], source["waiting"]) == (True, "his", False, [])
    last = source["last"]
    assert (last["name"], last["status"], last["anchored"], last["refusedLines"]) == (taken.name, "imported", True, 1)
    assert last["refused"] == [{"file": "all.ndjson", "line": 2, "rule": "Q01", "detail": last["refused"][0]["detail"]}]
    assert last["report"]["types"]["Condition"] == {"new": 1}
    shown = text(found)
    assert "his/2026-11-21: imported, 2 new, 0 changed, 0 unchanged, anchored" in shown
    assert "all.ndjson:2 Q01" in shown
    assert json.loads(json.dumps(found)) == found


def test_an_import_does_not_wait_for_the_ledger(settings: Settings) -> None:
    deliver(settings, "2026-11-21", PATIENT)
    collect(settings_of(settings.home, "evm"), CODE)  # there are no contracts to be found for it
    assert [d["anchored"] for d in status(settings, CODE)["deliveries"]] == [False]
    collect(settings, CODE)
    assert [d["anchored"] for d in status(settings, CODE)["deliveries"]] == [True]


def test_a_refused_and_a_missing_delivery_are_alarms_told_once(settings: Settings) -> None:
    deliver(settings, "2026-11-21", PATIENT)
    (Path(settings.gates[0].inbox) / "his" / "2026-11-21" / "export.json").write_text("{}")
    (Path(settings.gates[0].inbox) / "lis").mkdir()
    told: set[tuple[str, str, str]] = set()
    with capture_logs() as said:
        look(settings, told)
        look(settings, told)
    alarms = [(line["event"], line["source"]) for line in said if line["log_level"] == "error"]
    assert alarms == [("delivery_refused", "his"), ("delivery_missing", "lis")]
    found = status(settings, CODE)
    assert not found["ok"]
    assert "✗ 逾期未到 overdue lis" in text(found)


@pytest.mark.parametrize(
    ("day", "hour", "minute", "overdue"),
    [(22, 7, 59, False), (22, 8, 0, False), (23, 7, 59, False), (23, 8, 0, True), (24, 8, 0, True)],
)
def test_a_delivery_of_two_oclock_is_good_until_the_next_is_due(
    settings: Settings, day: int, hour: int, minute: int, overdue: bool
) -> None:
    (Path(settings.gates[0].inbox) / "his").mkdir(parents=True)
    came = int(NIGHT.timestamp())
    row = Delivery(source="his", name="x", digest=bytes(32), files=1, size=1, started=came, ended=came, status="imported")
    with holdings(settings, CODE) as own, own.records.sessions.begin() as session:
        session.add(row)
    (source,) = status(settings, CODE, NIGHT.replace(day=day, hour=hour, minute=minute))["sources"]
    assert source["overdue"] is overdue


def test_the_collector_runs_where_there_is_an_inbox(settings: Settings, tmp_path: Path) -> None:
    assert "collector" in [service.name for service in services(settings)]
    assert "collector" not in [service.name for service in services(Settings(home=tmp_path))]


def test_one_importer_at_a_time(settings: Settings) -> None:
    deliver(settings, "2026-11-21", PATIENT)
    with claimed(keyring(settings, CODE).parent, "import"), capture_logs() as said:
        look(settings, set())
    assert [line["event"] for line in said] == ["import_under_way", "delivery_missing"]
    assert status(settings, CODE)["sources"][0]["waiting"] == ["2026-11-21"]


def test_the_collector_killed_in_the_middle_doubles_and_loses_nothing(tmp_path: Path) -> None:
    home, rows = tmp_path / "home", 2200
    made = settings_of(home, "evm")
    home.mkdir()
    (home / "settings.toml").write_text(
        f'[[gates]]\ncode = "{CODE}"\nname = "x"\ninbox = "{home / "inbox"}"\n[collection]\nsettle_seconds = 0\n'
    )
    deliver(made, "2026-11-21", PATIENT, *(condition(i) for i in range(rows)))

    def records() -> int:
        with holdings(made, CODE) as own, own.records.sessions() as session:
            return session.query(Record).count()

    with collector(home):
        until(lambda: records() > 0, 240)
    killed_at = records()
    with collector(home):
        until(lambda: not status(made, CODE)["sources"][0]["waiting"], 240)
    (delivery,) = status(made, CODE)["deliveries"]
    assert (delivery["status"], delivery["report"]["lines"]) == ("imported", rows + 1)
    assert delivery["report"]["types"]["Condition"].get("unchanged", 0) >= min(killed_at, rows) - 1
    with holdings(made, CODE) as own, own.records.sessions() as session:
        assert [v for (v,) in session.query(Record.version)] == [1] * (rows + 1)
        assert sorted(s for (s,) in session.query(Record.sequence)) == list(range(rows + 1))


@contextmanager
def collector(home: Path) -> Iterator[None]:
    """The process as `healthtrust up` runs it; killed with -9 at the end."""
    env = {**os.environ, "HEALTHTRUST_HOME": str(home), "HEALTHTRUST_COLLECTION__SCHEDULE": "0 0 1 1 *"}
    path = home.parent / "collector.log"
    with path.open("ab") as log:
        command = attached((sys.executable, "-m", "healthtrust.collector"))
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        yield
        assert process.poll() is None, path.read_text()
    finally:
        process.kill()
        process.wait(60)
