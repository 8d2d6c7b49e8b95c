"""The whole story with every database on PostgreSQL, by the one setting."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.support import demo
from tests.support.postgres import Server


@pytest.mark.node
@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_demo_is_told_on_postgres_and_leaves_no_other_database(postgres: Server, postgres_url: str, tmp_path: Path) -> None:
    database = postgres_url.rpartition("/")[2]
    home = demo.tell(tmp_path, {"HEALTHTRUST_DATABASE": postgres_url})
    made = {f"{database}_{name}" for name in ("gateway", "mirror", "registrar", "TEST-QWSJPT", "TEST-SZXYY")}
    assert made <= _databases(postgres)
    assert not [p for p in home.rglob("*.db") if p.parent.name != "demo"]  # there lies the copy the story compares with


def _databases(server: Server) -> set[str]:
    with psycopg.connect(server.url("postgres").replace("+psycopg", "")) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
