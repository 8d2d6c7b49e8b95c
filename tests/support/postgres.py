"""A real PostgreSQL server for a test session: Debian's binaries, a temporary directory, a Unix account without rights."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from network.evm.node import free_port


def binaries() -> Path | None:
    """Folder of initdb and pg_ctl, newest version first."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]), reverse=True)
    on_path = shutil.which("initdb")
    return found[0].parent if found else Path(on_path).parent if on_path else None


def unavailable() -> str:
    """Why there is no server here; empty = there is. In CI that is a failure, not a reason to skip."""
    if binaries() is not None:
        return ""
    assert os.environ.get("CI") != "true", "CI must test on PostgreSQL: apt-get install -y postgresql"
    return "PostgreSQL is not installed (apt-get install -y postgresql)"


class Server:
    """One running server."""

    def __init__(self, home: Path, port: int, account: str | None) -> None:
        self.home = home
        self.port = port
        self.account = account
        self._numbers = itertools.count(1)

    @classmethod
    def start(cls) -> Server:
        """initdb refuses root, so as root everything runs as ``postgres`` or ``nobody``."""
        account = next(a for a in ("postgres", "nobody") if _exists(a)) if os.geteuid() == 0 else None
        home = Path(tempfile.mkdtemp(prefix="pg-"))
        if account:
            shutil.chown(home, account)
        server = cls(home, free_port(), account)
        server._run(
            "initdb", "-D", str(home / "data"), "-U", "test", "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-locale"
        )
        options = f"-c listen_addresses=127.0.0.1 -c port={server.port} -c unix_socket_directories={home} -c max_connections=200"
        server._run("pg_ctl", "-D", str(home / "data"), "-l", str(home / "log"), "-w", "-o", options, "start")
        return server

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.home / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.home, ignore_errors=True)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://test@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name}")
        return name

    def drop_database(self, name: str) -> None:
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(f"host=127.0.0.1 port={self.port} user=test dbname=postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def _run(self, program: str, *args: str) -> None:
        folder = binaries()
        assert folder is not None
        done = subprocess.run(
            [str(folder / program), *args], user=self.account, cwd=self.home, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{program}: {done.stderr or done.stdout}"


def _exists(account: str) -> bool:
    try:
        pwd.getpwnam(account)
    except KeyError:
        return False
    return True
