"""The bulk path: opaque records from a line file to durable, anchored, provable index entries, in several processes (goal A1).

The records stay where they are; what is made is their commitment, index entry and tree. A record's bytes are hashed as received:
one line without its end. One batch is one task of :mod:`offchain.intake.bulk_worker`, which makes its flat files durable; the
parent then stores one row and one ledger call a batch, in order. Files of a batch that was never committed are overwritten by the
next run, which goes on where the last committed batch ended.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from core.entry import SIZE
from core.vocabulary import category_number
from gateway.ledger.db import writing
from offchain.anchor import Anchorer
from offchain.database import Sessions
from offchain.intake.bulk_worker import Task, Workers
from offchain.models import EntryFile
from offchain.repository import next_sequence, take_sequences

_SCAN = 8 * 1024 * 1024


@dataclass(frozen=True)
class BulkSource:
    """A file of records, one a line, that only grows. ``name``: the source system; ``schema``: id of their document type."""

    path: Path
    name: str
    schema: bytes
    category: int = category_number("summary")


@dataclass(frozen=True)
class BulkReport:
    """``entries`` indexed now, in how many ``batches``; ``skipped`` bytes were indexed by an earlier run."""

    entries: int
    batches: int
    skipped: int


class BulkIndexer:
    """Indexes line files for one custodian. ``record_key``: the organisation's key for record ids (32 bytes)."""

    def __init__(
        self,
        organisation: bytes,
        sessions: Sessions,
        anchorer: Anchorer,
        directory: Path,
        record_key: bytes,
        *,
        processes: int = 0,
        batch_entries: int = 50_000,
    ) -> None:
        self._organisation = organisation
        self._sessions = sessions
        self._anchorer = anchorer
        self._directory = directory
        self._key = record_key
        self._processes = processes or os.cpu_count() or 1
        self._most = batch_entries

    def run(self, source: BulkSource, now: int) -> BulkReport:
        """Index what the file has beyond the last run; durable and handed to the outbox when it returns.

        Entries written by the ordinary intake are put in batches first, because sequences have no gaps. One run at a time.
        """
        self._anchorer.batch()
        with self._sessions() as session:
            skipped = session.scalar(select(func.max(EntryFile.source_end)).where(EntryFile.source == source.name)) or 0
            first = next_sequence(session)
            number, _, _ = self._anchorer.last(session)
        entries = batches = 0
        with Workers(self._processes) as workers:
            for task, root in workers.run(self._tasks(source, skipped, first, number, now)):
                self._commit(source, task, root, number + batches)
                entries += task.count
                batches += 1
        return BulkReport(entries, batches, skipped)

    def _tasks(self, source: BulkSource, start: int, first: int, number: int, now: int) -> Iterator[Task]:
        for begin, end, count in ranges(source.path, start, self._most):
            yield Task(
                path=str(source.path),
                start=begin,
                end=end,
                count=count,
                first=first,
                tree=str(self._anchorer.tree_path(number)),
                flat=str(self._directory / f"{first:012d}"),
                organisation=self._organisation.hex(),
                key=self._key.hex(),
                name=source.name,
                schema=source.schema.hex(),
                category=source.category,
                now=now,
            )
            first += count
            number += 1

    def _commit(self, source: BulkSource, task: Task, root: bytes, number: int) -> None:
        with self._sessions.begin() as session:
            writing(session)
            batch, first, before = self._anchorer.last(session)
            taken = take_sequences(session, task.count)
            if (batch, first, taken) != (number, task.first, task.first):
                raise RuntimeError("another intake wrote to this custodian during a bulk run; run it again")
            path = f"{task.flat}.entries"
            row = EntryFile(first_sequence=task.first, count=task.count, path=path, source=source.name, source_end=task.end)
            session.add(row)
            self._anchorer.enlist(session, number, task.first, task.count, root, before)


def ranges(path: Path, start: int, most: int, scan: int = _SCAN) -> Iterator[tuple[int, int, int]]:
    """(begin, end, lines) of byte ranges with at most ``most`` whole lines each; a last line without an end is left for later."""
    begin, lines, position = start, 0, start
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(scan):
            at = 0
            while (room := chunk.count(b"\n", at)) + lines >= most:
                at = _after(chunk, at, most - lines, room)
                yield begin, position + at, most
                begin, lines = position + at, 0
            lines += chunk.count(b"\n", at)
            position += len(chunk)
        if lines:
            end = _last_end(path, begin, position)
            yield begin, end, lines


def find(path: Path, record: bytes) -> int | None:
    """Index of a record's entry in an ``.entries`` file, or None; reads the file through (about 1 GB/s)."""
    data = path.read_bytes()
    at = data.find(record)
    while at >= 0 and at % SIZE != 64:
        at = data.find(record, at + 1)
    return None if at < 0 else at // SIZE


def _after(chunk: bytes, at: int, lines: int, room: int) -> int:
    """Position behind the next ``lines`` line ends (``room`` ≥ lines of them are there), by halving instead of walking."""
    low, high = at, len(chunk)
    while room > lines:
        middle = (low + high) // 2
        found = chunk.count(b"\n", at, middle)
        if found >= lines:
            high, room = middle, found
        else:
            low = middle + 1
        if low >= high:
            break
    return chunk.rfind(b"\n", at, high) + 1


def _last_end(path: Path, begin: int, end: int) -> int:
    with path.open("rb") as file:
        back = min(_SCAN, end - begin)
        while True:
            file.seek(end - back)
            at = file.read(back).rfind(b"\n")
            if at >= 0:
                return end - back + at + 1
            back = min(back * 2, end - begin)
