"""The whole story with every database on PostgreSQL, by the one setting."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from offchain.generator import generate
from tests.support.postgres import Server

PORTS = 4
"""Gateway, node, two gates, in a row."""


@pytest.mark.node
@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_demo_is_told_on_postgres_and_leaves_no_other_database(postgres: Server, postgres_url: str, tmp_path: Path) -> None:
    generate(tmp_path / "data", 7, 8)
    home, database = tmp_path / "home", postgres_url.rpartition("/")[2]
    command = [sys.executable, "-c", "from healthtrust.cli import main; main()", "--home", str(home)]
    command += ["--port-base", str(_ports_in_a_row()), "demo", "--once", "--data", str(tmp_path / "data")]
    environment = {**os.environ, "HEALTHTRUST_DATABASE": postgres_url}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1400, check=False)
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-3000:]
    made = {f"{database}_{name}" for name in ("gateway", "mirror", "registrar", "TEST-QWSJPT", "TEST-SZXYY")}
    assert made <= _databases(postgres)
    assert not [p for p in home.rglob("*.db") if p.parent.name != "demo"]  # there lies the copy the story compares with


def _databases(server: Server) -> set[str]:
    with psycopg.connect(server.url("postgres").replace("+psycopg", "")) as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}


def _ports_in_a_row() -> int:
    """Below the range from which the kernel hands ports to anybody."""
    for base in range(21_000 + os.getpid() % 1000 * 5, 32_000, PORTS):
        with ExitStack() as held:
            try:
                for port in range(base, base + PORTS):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return base
    raise AssertionError("no ports in a row are free")
