"""A database copied whole while others write to it, and put back: SQLite through its backup API, PostgreSQL by pg_dump."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, inspect
from sqlalchemy.engine import make_url

from core.errors import ForPeople
from gateway.ledger.db import create_database, make_private, open_engine


class DatabaseNotCopied(ForPeople):
    """A database could not be copied or put back; the message says which program said what."""


def is_there(url: str) -> bool:
    """Whether there is something to copy: an SQLite file, or a PostgreSQL database with tables."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return Path(str(parsed.database)).exists()
    engine = open_engine(url)
    try:
        return bool(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def copy_out(url: str, into: Path) -> None:
    """One consistent moment of a database, as a file. Raises DatabaseNotCopied, sqlite3.Error."""
    make_private(into)
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(parsed.database))) as source, closing(sqlite3.connect(into)) as copy:
            source.backup(copy)
    else:
        _run("pg_dump", "--format=custom", "--no-owner", f"--file={into}", url=parsed)


def copy_in(source: Path, url: str) -> None:
    """Put a copy back where nothing is yet. Raises DatabaseNotCopied when something is."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        create_database(url_of_server(parsed), url)
    if is_there(url):
        raise DatabaseNotCopied(
            f"{parsed.render_as_string()} is there already: a copy is put back into nothing, never over something"
        )
    if parsed.get_backend_name() != "sqlite":
        _run("pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", str(source), url=parsed)
        return
    path = Path(str(parsed.database))
    make_private(path)
    with closing(sqlite3.connect(source)) as copy, closing(sqlite3.connect(path)) as restored:
        copy.backup(restored)


def url_of_server(url: URL) -> str:
    """The same server's own database, from which others are made."""
    return url.set(database="postgres").render_as_string(hide_password=False)


def _run(program: str, *arguments: str, url: URL) -> None:
    if shutil.which(program) is None:
        raise DatabaseNotCopied(f"{program} is not installed: it comes with PostgreSQL's client programs (postgresql-client)")
    named = url.set(drivername="postgresql", password=None).render_as_string()
    secret = {"PGPASSWORD": str(url.password)} if url.password else {}
    command = [program, *arguments, f"--dbname={named}"]
    done = subprocess.run(command, env={**os.environ, **secret}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DatabaseNotCopied(f"{program} of {named}: {done.stderr.strip()}")
