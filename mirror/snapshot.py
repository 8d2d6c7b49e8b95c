"""A mirror in one file, to start another organisation's copy without asking a node for every block (docs/formats.md §17).

The file is gzip of JSON lines: a head (which ledger, height, digest, columns and number of rows of every table), then a line a
row. Import goes into an empty database in one transaction and recomputes the digest of every block from the rows before it
commits: a file in which anything was changed, left out, doubled or moved is refused, and nothing of it stays.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from core.errors import ForPeople
from mirror.checkpoint import Cursor, Source, load
from mirror.compare import verify_connection
from mirror.database import Database, DatabaseBroken, insert
from mirror.events import mentions_of_rows
from mirror.models import BLOCK, CURSOR, EVENT, MENTION, ZERO, Row
from mirror.projections import RELATIONS
from mirror.rebuild import NotEmpty

KIND, VERSION = "healthtrust/mirror-snapshot", 1
ROWS_AT_ONCE = 5000
TABLES: dict[str, sa.Table] = {str(BLOCK.name): BLOCK, **{r.name: r.table for r in RELATIONS}}
LONGEST_LINE = 64 * 1024 * 1024


class SnapshotRefused(ForPeople, ValueError):
    """The file is no snapshot of this program's version, or its rows do not give its digests."""


@dataclass(frozen=True)
class Snapshot:
    """What a file holds: a ledger up to ``height``, with the mirror's digest there. ``rows``: of all tables together."""

    ledger_id: str
    genesis: str
    chain: int
    height: int
    hash: str
    digest: str
    rows: int


def export(database: Database, path: Path) -> Snapshot:
    """Write the mirror as it is now; whole or not at all. Raises SnapshotRefused for an empty mirror, OSError."""
    part = path.with_name(path.name + ".part")
    with database.read() as connection:
        found = load(connection)
        if found is None or found[1].height < 0:
            raise SnapshotRefused(f"{database.name} is empty: there is nothing to export")
        counts = {n: connection.scalar(sa.select(sa.func.count()).select_from(t)) or 0 for n, t in TABLES.items()}
        head = _head(*found, counts)
        try:
            with part.open("wb") as raw:
                with gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as file:
                    file.write(orjson.dumps(head) + b"\n")
                    for line in _lines(connection):
                        file.write(line)
                raw.flush()
                os.fsync(raw.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return _described(head)


def restore(database: Database, path: Path, expected: bytes | None = None) -> Snapshot:
    """Take a snapshot into an empty database. ``expected``: the digest the organisations agree on at its height, if known.

    Raises SnapshotRefused (nothing of the file is in then), NotEmpty, the errors of Database.write, OSError.
    """
    database.prepare()
    with path.open("rb") as raw, gzip.GzipFile(fileobj=raw) as file:
        try:
            head = _read_head(file.readline(LONGEST_LINE))
            _expect(head, expected)
            with database.write() as connection:
                _take(connection, database, head, file)
        except (SnapshotRefused, NotEmpty):
            raise
        except (EOFError, gzip.BadGzipFile, zlib.error, orjson.JSONDecodeError) as e:
            raise SnapshotRefused(f"{path} is damaged: {e}") from e
        except (DatabaseBroken, KeyError, TypeError, ValueError, IndexError, OverflowError, struct.error) as e:
            raise SnapshotRefused(f"{path}: a row does not fit its table ({e})") from e
    return _described(head)


def _head(source: Source, cursor: Cursor, counts: dict[str, int]) -> dict[str, Any]:
    said = {n: v.hex() if isinstance(v, bytes) else v for n, v in {**asdict(source), **asdict(cursor)}.items()}
    tables = {name: [list(_columns(table)), counts[name]] for name, table in TABLES.items()}
    return {"kind": KIND, "version": VERSION, **said, "tables": tables}


def _columns(table: sa.Table) -> tuple[str, ...]:
    return tuple(c.name for c in table.columns)


def _lines(connection: sa.Connection) -> Iterator[bytes]:
    for table in TABLES.values():
        rows = connection.execute(sa.select(table).order_by(*table.primary_key), execution_options={"yield_per": ROWS_AT_ONCE})
        for row in rows:
            yield orjson.dumps([v.hex() if isinstance(v, bytes | memoryview) else v for v in row]) + b"\n"


def _read_head(line: bytes) -> dict[str, Any]:
    head = orjson.loads(line)
    if not isinstance(head, dict) or head.get("kind") != KIND or head.get("version") != VERSION:
        raise SnapshotRefused("this is no mirror snapshot of version 1")
    if {n: tuple(t[0]) for n, t in head["tables"].items()} != {n: _columns(t) for n, t in TABLES.items()}:
        raise SnapshotRefused("the snapshot was made by a program with other tables: use that program's version, or rebuild")
    return head


def _expect(head: dict[str, Any], digest: bytes | None) -> None:
    if digest is not None and head["digest"] != digest.hex():
        raise SnapshotRefused(f"the snapshot's digest is 0x{head['digest']}, not the expected 0x{digest.hex()}")


def _take(connection: sa.Connection, database: Database, head: dict[str, Any], file: gzip.GzipFile) -> None:
    if load(connection) is not None:
        raise NotEmpty(f"{database.name} already holds a mirror: name a new database")
    for name, table in TABLES.items():
        _take_table(connection, table, head["tables"][name][1], file)
    if file.readline(LONGEST_LINE):
        raise SnapshotRefused("there are more rows than the head says")
    said = {n: bytes.fromhex(head[n]) for n in ("ledger_id", "genesis", "hash", "digest")}
    numbers = {n: int(head[n]) for n in ("chain", "height")}
    connection.execute(sa.insert(CURSOR).values(id=1, **said, **numbers))
    if (wrong := verify_connection(connection)) is not None:
        raise SnapshotRefused(f"the rows do not give the digests: {wrong}")


def _take_table(connection: sa.Connection, table: sa.Table, count: int, file: gzip.GzipFile) -> None:
    rows: list[Row] = []
    for row in _rows(table, count, file):
        # An event is found by its transaction only where it is the first of it, so a transaction is never cut in two.
        if len(rows) >= ROWS_AT_ONCE and (table is not EVENT.table or row[2] != rows[-1][2]):
            _insert(connection, table, rows)
            rows = []
        rows.append(row)
    _insert(connection, table, rows)


def _rows(table: sa.Table, count: int, file: gzip.GzipFile) -> Iterator[Row]:
    binary = [i for i, c in enumerate(table.columns) if isinstance(c.type, sa.LargeBinary)]
    for _ in range(count):
        line = file.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise SnapshotRefused(f"the file ends in table {table.name}")
        values = orjson.loads(line)
        if not isinstance(values, list) or len(values) != len(table.columns):
            raise SnapshotRefused(f"a row does not have the columns of table {table.name}")
        for i in binary:
            values[i] = bytes.fromhex(values[i])
        yield tuple(values)


def _insert(connection: sa.Connection, table: sa.Table, rows: list[Row]) -> None:
    """The index of identifiers is made anew from the events, because no digest covers it: from their text, in which a number
    above 2⁵³−1 is a word too, so that some may be found here by more than in the mirror that was exported."""
    if rows:
        insert(connection, table, _columns(table), rows)
        if table is EVENT.table:
            insert(connection, MENTION, ("prefix", "position"), mentions_of_rows(_first_of_each(rows)))


def _first_of_each(rows: list[Row]) -> Iterator[Row]:
    """Events, of which only the first of a transaction names it."""
    last = b""
    for row in rows:
        yield row if row[2] != last else (*row[:2], ZERO, *row[3:])
        last = row[2]


def _described(head: dict[str, Any]) -> Snapshot:
    words = {n: "0x" + head[n] for n in ("ledger_id", "genesis", "hash", "digest")}
    return Snapshot(**words, chain=head["chain"], height=head["height"], rows=sum(t[1] for t in head["tables"].values()))
