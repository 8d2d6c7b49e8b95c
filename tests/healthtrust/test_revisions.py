"""Tables of every database: one way from version to version, equal to the models, rows kept, on SQLite and PostgreSQL."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, Engine, MetaData, Table, insert, inspect, select, text, update

import gateway.models  # noqa: F401 — the gateway's tables are those of its modules
from gateway.database import TABLES as GATEWAY
from gateway.ledger import outbox
from gateway.ledger.db import open_engine
from gateway.ledger.migrate import DatabaseUnfit, Tables, compare, draft, migrate
from offchain.database import CUSTODIAN, REGISTRAR
from offchain.models import Counter, Person
from offchain.receipts import TABLES as RECEIPTS
from offchain.receipts import DeliveryRow

EVERY = [pytest.param(tables, id=tables.name) for tables in (GATEWAY, CUSTODIAN, REGISTRAR, RECEIPTS)]
ONCE_WITHOUT = [pytest.param(tables, id=tables.name) for tables in (CUSTODIAN, REGISTRAR, RECEIPTS)]
"""Those that were made without revisions once."""
START = "import sys; from offchain.database import custodian_sessions; custodian_sessions(sys.argv[1])"
"""What every process of a custodian does first."""
ROW: dict[str, tuple[Any, dict[str, Any]]] = {
    "custodian": (Counter, {"name": "sequence", "value": 7}),
    "registrar": (Person, {"lookup": bytes(32), "subject": bytes(32), "name_check": bytes(32), "posted": True}),
    "receipts": (DeliveryRow, {"number": 7}),
}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = open_engine(database_url)
    yield opened
    opened.dispose()


def revision(engine: Engine, tables: Tables) -> str:
    with engine.connect() as connection:
        return str(connection.scalar(select(tables.in_force.c.version_num)))


def as_before_revisions(engine: Engine, tables: Tables, folder: Path) -> None:
    """The tables as the program made them when it kept no revisions."""
    shutil.copytree(tables.folder, folder, ignore=lambda _, names: [n for n in names if not n.startswith("0001")])
    migrate(engine, replace(tables, folder=folder))
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {tables.marker}"))


@pytest.mark.parametrize("tables", EVERY)
def test_revisions_lead_to_the_models(engine: Engine, tables: Tables) -> None:
    for _ in range(2):
        migrate(engine, tables)
        assert revision(engine, tables) == tables.revisions()[-1]
    with engine.connect() as connection:
        assert compare(connection, tables) == []


@pytest.mark.parametrize("tables", EVERY)
def test_what_alembic_does_not_compare_is_equal_too(tmp_path: Path, tables: Tables) -> None:
    """Numbers that never come again (AUTOINCREMENT) and tables without row ids, on SQLite."""
    by_models, by_revisions = (open_engine(f"sqlite:///{tmp_path / name}.db") for name in ("models", "revisions"))
    with by_models.begin() as connection:
        for metadata in tables.metadata:
            metadata.create_all(connection)
    migrate(by_revisions, tables)
    words = []
    for engine in (by_models, by_revisions):
        with engine.connect() as connection:
            made = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all()
        engine.dispose()
        words.append({n: re.findall("AUTOINCREMENT|WITHOUT ROWID", sql) for n, sql in made if n in tables.names()})
    assert words[0] == words[1] != {}


def test_several_kinds_of_tables_share_a_database(engine: Engine) -> None:
    """On PostgreSQL a custodian's receipts lie beside its records."""
    for tables in (CUSTODIAN, RECEIPTS, REGISTRAR):
        migrate(engine, tables)
    for tables in (CUSTODIAN, RECEIPTS, REGISTRAR):
        with engine.connect() as connection:
            assert compare(connection, tables) == []


@pytest.mark.parametrize("tables", ONCE_WITHOUT)
def test_a_database_from_before_revisions_is_taken_over_with_its_rows(engine: Engine, tables: Tables, tmp_path: Path) -> None:
    as_before_revisions(engine, tables, tmp_path / "old")
    with engine.begin() as connection:
        connection.execute(insert(ROW[tables.name][0].__table__).values(ROW[tables.name][1]))
    migrate(engine, tables)
    with engine.connect() as connection:
        (row,) = connection.execute(select(ROW[tables.name][0].__table__)).mappings()
        assert row.items() >= ROW[tables.name][1].items()
        assert compare(connection, tables) == []
    assert revision(engine, tables) == tables.revisions()[-1]


def test_a_database_of_which_only_a_part_was_made_is_completed(engine: Engine) -> None:
    """A gate that started first made the outbox only."""
    with engine.begin() as connection:
        outbox.metadata.create_all(connection)
    migrate(engine, CUSTODIAN)
    with engine.connect() as connection:
        assert compare(connection, CUSTODIAN) == []


def test_a_database_that_is_not_as_it_should_be_is_refused_and_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        Table("counter", MetaData(), Column("name", BigInteger, primary_key=True)).create(connection)
    with pytest.raises(DatabaseUnfit, match=r"add_column .*counter"):
        migrate(engine, CUSTODIAN)
    assert inspect(engine).get_table_names() == ["counter"]


@pytest.mark.parametrize("tables", EVERY)
def test_a_newer_database_is_refused(engine: Engine, tables: Tables) -> None:
    migrate(engine, tables)
    with engine.begin() as connection:
        connection.execute(update(tables.in_force).values(version_num="0999"))
    with pytest.raises(DatabaseUnfit, match="revision 0999, this program knows") as refused:
        migrate(engine, tables)
    assert "请使用建立它的程序版本" in refused.value.zh
    assert revision(engine, tables) == "0999"


@pytest.mark.parametrize("made_before", [False, True], ids=["empty", "from before revisions"])
def test_processes_that_start_together_do_it_once(database_url: str, made_before: bool, tmp_path: Path) -> None:
    engine = open_engine(database_url)
    if made_before:
        as_before_revisions(engine, CUSTODIAN, tmp_path / "old")
    processes = [subprocess.Popen([sys.executable, "-c", START, database_url], stderr=subprocess.PIPE) for _ in range(2)]
    assert [(process.communicate(timeout=240)[1], process.returncode) for process in processes] == [(b"", 0)] * 2
    with engine.connect() as connection:
        assert compare(connection, CUSTODIAN) == []
    engine.dispose()


def test_a_database_in_order_is_opened_while_another_process_writes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    engine = open_engine(url)
    migrate(engine, CUSTODIAN)
    with engine.connect().execution_options(writing=True) as writer, writer.begin():
        beside = open_engine(url)
        migrate(beside, CUSTODIAN)
        beside.dispose()
    engine.dispose()


def test_a_change_of_a_model_is_drafted_as_the_next_revision(engine: Engine, tmp_path: Path) -> None:
    shutil.copytree(CUSTODIAN.folder, tmp_path / "revisions")
    more = MetaData()
    Table("more", more, Column("id", BigInteger, primary_key=True))
    tables = replace(CUSTODIAN, folder=tmp_path / "revisions", metadata=(*CUSTODIAN.metadata, more))
    migrate(engine, CUSTODIAN)
    made = draft(tables, "more")
    assert made.name == f"{len(CUSTODIAN.revisions()) + 1:04d}_more.py"
    migrate(engine, tables)
    with engine.connect() as connection:
        assert compare(connection, tables) == []
