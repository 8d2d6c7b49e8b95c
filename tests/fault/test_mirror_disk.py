"""A database that is locked, full or damaged: a sentence that says what to do, nothing half-written, and on it goes."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mirror import database as database_module
from mirror.database import DatabaseBroken, DatabaseUnavailable
from mirror.migrations import RebuildNeeded
from mirror.models import SCHEMA_VERSION
from tests.mirror.support import dump, follower, fresh, told


def test_a_locked_database_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "SQLITE_WAIT_SECONDS", 0.05)
    ledger, path = told(1, 10), tmp_path / "a.db"
    live = follower(ledger, f"sqlite:///{path}")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable, match="another process holds it"):
        live.catch_up()
    holder.execute("ROLLBACK")
    holder.close()
    live.reload()
    live.catch_up()
    assert dump(live.database) == dump(fresh(ledger, tmp_path).database)


@pytest.mark.parametrize("pages", [0, 1, 2, 5, 10, 20, 40])
def test_a_full_disk_leaves_the_last_whole_block(pages: int, tmp_path: Path) -> None:
    """SQLite's own page limit stands for the disk: the same error at the same places, whatever file system the test runs on."""
    ledger = told(2, 400)
    live = follower(ledger, f"sqlite:///{tmp_path / 'a.db'}")
    with live.database.read() as connection:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    def limit(connection: Any, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count={used + pages}")

    live.database.engine.dispose()
    sa.event.listen(live.database.engine, "connect", limit)
    with pytest.raises(DatabaseUnavailable, match="disk is full: make room"):
        live.catch_up()
    sa.event.remove(live.database.engine, "connect", limit)
    live.database.engine.dispose()
    live.reload()
    assert live.cursor.height < 400
    short = told(2, 400)
    short.cut(live.cursor.height)
    if live.cursor.height >= 0:
        assert dump(live.database) == dump(fresh(short, tmp_path, "short.db").database)
    live.catch_up()
    assert dump(live.database) == dump(fresh(ledger, tmp_path).database)


def test_a_damaged_database_asks_for_a_rebuild(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"this is no database, however long it may be" * 100)
    with pytest.raises(DatabaseBroken, match="rebuild"):
        follower(told(1, 1), f"sqlite:///{path}")


def test_tables_of_a_newer_program_are_not_touched(tmp_path: Path) -> None:
    live = follower(told(1, 1), f"sqlite:///{tmp_path / 'a.db'}")
    with live.database.write() as connection:
        connection.execute(sa.update(SCHEMA_VERSION).values(version=99))
    with pytest.raises(RebuildNeeded, match="version 99"):
        live.database.prepare()


def test_a_row_that_is_already_there_halts(tmp_path: Path) -> None:
    """Somebody wrote into the mirror: the next block must not be built on it."""
    ledger = told(1, 5)
    live = follower(ledger, f"sqlite:///{tmp_path / 'a.db'}")
    with live.database.write() as connection:
        connection.exec_driver_sql("INSERT INTO block VALUES (3, x'01', x'00', 0, 0, x'00')")
    with pytest.raises(DatabaseBroken, match="rebuild the mirror"):
        live.catch_up()
    assert live.cursor.height < 3
