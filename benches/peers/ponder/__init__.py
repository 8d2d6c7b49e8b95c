"""Ponder, the chain indexer most used beside ours, installed once from npm as the lock file here pins it.

It fills one table from the one event; ours also keeps the event itself, the way to find it by any identifier, versions, and a
digest a block. Its time is counted from the moment its backfill begins until it says that it is ready.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
import psycopg

from network.attach import die_with_parent
from network.evm.node import free_port

NAME = "Ponder 0.15.10: one table, no digest"
HERE = Path(__file__).parent
CACHE = HERE.parents[2] / ".cache" / "peers"
FILES = ("package.json", "package-lock.json", "ponder.config.ts", "ponder.schema.ts", "src/index.ts", "src/api/index.ts")
INSTALL_SECONDS, RUN_SECONDS, LOOK_SECONDS = 600.0, 900.0, 0.05


class PonderFailed(RuntimeError):
    """Ponder ended before it was ready, or with another number of rows; the message has the end of its log."""


def installed() -> Path | None:
    """The folder to run it in; None, and why on the console, where it cannot be installed (no Node, no network)."""
    digest = hashlib.sha256(b"\0".join((HERE / name).read_bytes() for name in FILES)).hexdigest()[:16]
    place = CACHE / f"ponder-{digest}"
    if place.is_dir():
        return place
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="ponder.") as scratch:
        whole = Path(scratch) / "whole"
        for name in FILES:
            (whole / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(HERE / name, whole / name)
        try:
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=whole, capture_output=True, check=True, timeout=INSTALL_SECONDS)
        except (OSError, subprocess.SubprocessError) as e:
            print(f"  without Ponder: {e}")
            return None
        whole.rename(place)
    return place


def seconds_to_index(place: Path, node: str, database: str, contract: str, last_block: int, events: int) -> float:
    """Seconds for all events up to a block, into an empty schema of this PostgreSQL database. Raises PonderFailed."""
    port, schema = free_port(), f"ponder_{time.monotonic_ns()}"
    url = database.replace("+psycopg", "")
    given = {"NODE_URL": node, "DATABASE_URL": url, "ACCESS": contract, "END_BLOCK": str(last_block), "CHAIN_ID": "31337"}
    environment = {**os.environ, **given, "PONDER_TELEMETRY_DISABLED": "true"}
    command = ["node_modules/.bin/ponder", "start", "--schema", schema, "--port", str(port), "--log-level", "warn"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=place, env=environment, stdout=log, stderr=log, preexec_fn=die_with_parent)
        try:
            _await(process, f"http://127.0.0.1:{port}/health")
            started = time.perf_counter()
            _await(process, f"http://127.0.0.1:{port}/ready")
            seconds = time.perf_counter() - started
        except PonderFailed as e:
            log.seek(0)
            raise PonderFailed(f"{e}: {log.read()[-600:].decode(errors='replace')}") from None
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    _expect(url, schema, events)
    return seconds


def _await(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + RUN_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=5.0).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        time.sleep(LOOK_SECONDS)
    raise PonderFailed(f"{url} never said so")


def _expect(url: str, schema: str, events: int) -> None:
    """Everything is there; and then it is gone, with what Ponder keeps of the chain, so that the next run is cold as well."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(f'SELECT count(*) FROM "{schema}".access_request'.encode()).fetchone()  # noqa: S608
        connection.execute(f'DROP SCHEMA "{schema}" CASCADE; DROP SCHEMA IF EXISTS ponder_sync CASCADE'.encode())
    if found != (events,):
        raise PonderFailed(f"{found} rows instead of {events}")
