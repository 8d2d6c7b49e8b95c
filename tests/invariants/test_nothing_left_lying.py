"""What a thief of the disk or a reader of the logs finds: files only their owner reads, and no values in what is logged."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from core.hexes import to_hex
from gateway.ledger.db import open_engine
from gateway.settings import Settings
from mirror.database import Database
from offchain.gate.http import from_error
from tests.gateway.house import URL, House
from tests.offchain.gate_scene import Scene

SECRET = "精神分裂症 F20.0"


@pytest.fixture
def careless() -> Any:
    """A process whose umask hides nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): stat.S_IMODE(p.stat().st_mode) for p in folder.rglob("*")}


def test_databases_and_their_folders_are_for_their_owner_only(tmp_path: Path, careless: None) -> None:
    home = tmp_path / "home"
    settings = Settings(home=home)
    for url in (settings.gateway_database(), settings.custodian_database(settings.gates[0].code)):
        with open_engine(url).begin() as connection:
            connection.exec_driver_sql("CREATE TABLE t (x)")
    mirrored = Database(settings.mirror_database())
    mirrored.prepare()
    found = modes(home)
    assert any(name.endswith("-wal") for name in found)
    assert {name: oct(mode) for name, mode in found.items() if mode & 0o077} == {}


def test_a_served_gate_leaves_nothing_for_others(scene: Scene) -> None:
    """Keys, records, trees, receipts, marks."""
    scene.read()
    folder = scene.kit.home / "custodians"
    loose = {n: oct(m) for n, m in modes(folder).items() if m & 0o077 and not (folder / n).is_dir()}
    assert loose == {}


def test_every_program_hides_what_it_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    from healthtrust import cli, serve

    monkeypatch.setattr(cli, "app", lambda: None)
    monkeypatch.setattr(serve, "load", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    for main in (cli.main, lambda: serve.main(["gateway"])):
        os.umask(0o022)
        try:
            main()
        except KeyboardInterrupt:
            pass
        assert os.umask(0o022) == 0o077


def test_a_drivers_error_does_not_carry_the_row(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'x.db'}")
    table = sa.Table("t", sa.MetaData(), sa.Column("a", sa.Text, primary_key=True))
    table.create(engine)
    with engine.begin() as connection:
        connection.execute(table.insert().values(a=SECRET))
    with pytest.raises(IntegrityError) as refused, engine.begin() as connection:
        connection.execute(table.insert().values(a=SECRET))
    assert SECRET not in str(refused.value)


def test_what_nobody_foresaw_at_a_gate_is_logged_without_values(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the message of the error nor the local variables on its way: they hold records and keys."""

    async def reading(record: str) -> None:
        raise ValueError(f"cannot cut {record}")

    try:
        asyncio.run(reading(SECRET))
    except ValueError as error:
        problem = from_error(error).problem()
    out, err = capsys.readouterr()
    assert "ValueError" in out + err
    assert "test_nothing_left_lying.py" in out + err
    assert "F20.0" not in out + err + str(problem)


def test_no_browser_and_no_proxy_keeps_an_answer(house: House) -> None:
    """What one person was told must not lie in a cache for the next at the same desk."""
    person = house.world.resident()
    client = house.as_resident(person)
    for path in ("/index/entries", "/consents", f"/identities/{to_hex(person.subject)}/key", "/sessions/current", "/nowhere"):
        url = f"{URL}/api/v1{path}"
        answer = house.http().get(url, headers=client._headers("GET", url, b"", ""))
        assert answer.headers.get("cache-control") == "no-store", path
