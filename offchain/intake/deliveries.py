"""Deliveries: what sources put into a custodian's inbox each night (T+1, requirements P01 and P61), taken in once and in order.

``<inbox>/<source>/<delivery>/`` holds one export; the names of a source's deliveries sort as they are to be taken (2026-11-21).
A name that starts with a dot or ends in ``.part`` is still being written, as is a delivery with a file younger than the settings
say; what comes after it waits. What is done with lies under ``<source>/.done`` or ``<source>/.refused``.

Crash order: 1. the row, running; 2. the import, which may be killed anywhere and run again (:mod:`offchain.intake.pipeline`);
3. the row, imported; 4. the move. After 1 and 2 the next look finds the row running and goes on; after 3 it finds the bytes
known and only moves them.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import merkle
from gateway.ledger.db import writing
from offchain.database import Sessions
from offchain.intake.fhir import FhirFolder
from offchain.intake.port import Source
from offchain.intake.report import RunReport
from offchain.intake.tables import CsvFolder
from offchain.models import Delivery
from offchain.repository import next_sequence

RUNNING, IMPORTED, DUPLICATE, REFUSED = "running", "imported", "duplicate", "refused"
DONE_FOLDER, REFUSED_FOLDER = ".done", ".refused"
_CHUNK = 1024 * 1024
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Content:
    """What a delivery holds. ``digest``: SM3 tree over names and bytes of its files; ``foreign``: what is in it but no file."""

    digest: bytes
    files: int
    size: int
    foreign: list[str]


class Inbox:
    """One custodian's inbox. ``settle_seconds``: how long nothing in a delivery may have changed before it counts as whole."""

    def __init__(
        self, folder: Path, sessions: Sessions, *, settle_seconds: float = 60, clock: Callable[[], float] = time.time
    ) -> None:
        self.folder = folder
        self._sessions = sessions
        self._settle = settle_seconds
        self._clock = clock

    def sources(self) -> list[str]:
        """Names of the sources that deliver here: a folder each."""
        return [path.name for path in _folders(self.folder)]

    def waiting(self, source: str) -> list[Path]:
        """A source's whole deliveries that are not taken in yet, in order."""
        whole = []
        for path in _folders(self.folder / source):
            if path.name.endswith(".part") or self._clock() - _changed(path) < self._settle:
                break
            whole.append(path)
        return whole

    def take(self, load: Callable[[Source], RunReport]) -> Iterator[Delivery]:
        """Take in what waits, one by one; ``load`` imports one source. The caller holds the custodian's claim.

        Raises OSError and what ``load`` raises; the delivery it happened at is taken again at the next look.
        """
        for source in self.sources():
            for path in self.waiting(source):
                taken = self._take(source, path, load)
                if taken is not None:
                    yield taken

    def forget(self, days: int) -> int:
        """Delete what was taken in more than so many days ago: it holds records in the clear. How many deliveries."""
        oldest = self._clock() - days * _DAY_SECONDS
        old = [p for source in self.sources() for p in _all(self.folder / source / DONE_FOLDER) if p.stat().st_mtime < oldest]
        for path in old:
            shutil.rmtree(path)
        return len(old)

    def _take(self, source: str, path: Path, load: Callable[[Source], RunReport]) -> Delivery | None:
        content = read_content(path)
        row, fresh = self._begin(source, path, content)
        if row.status == RUNNING:
            try:
                export = source_in(path, source)
            except (FileNotFoundError, ValueError) as error:
                row = self._end(row.id, REFUSED, reason=str(error).replace(f"{path}", path.name))
            else:
                row = self._end(row.id, IMPORTED, run=load(export).run)
        self._put_away(path, content.digest, REFUSED_FOLDER if row.status == REFUSED else DONE_FOLDER)
        return row if fresh else None

    def _begin(self, source: str, path: Path, content: Content) -> tuple[Delivery, bool]:
        """The delivery's row, and whether there is something to tell about it."""
        with self._sessions.begin() as session:
            writing(session)
            same = _same(session, source, content.digest)
            if same is not None and same.name == path.name:
                return same, False
            row = _running(session, source, path.name) or Delivery(source=source, name=path.name, started=int(self._clock()))
            row.digest, row.files, row.size = content.digest, content.files, content.size
            row.status, row.reason = _judged(session, row, content, same)
            row.ended = None if row.status == RUNNING else int(self._clock())
            session.add(row)
            return row, True

    def _end(self, id: int, status: str, *, reason: str | None = None, run: int | None = None) -> Delivery:
        with self._sessions.begin() as session:
            writing(session)
            row = session.get_one(Delivery, id)
            row.status, row.reason, row.run, row.ended = status, reason, run, int(self._clock())
            row.through = None if run is None else next_sequence(session)
            return row

    def _put_away(self, path: Path, digest: bytes, where: str) -> None:
        target = path.parent / where / f"{path.name}@{digest.hex()[:16]}"
        target.parent.mkdir(mode=0o700, exist_ok=True)
        if target.exists():  # the same name and bytes once more
            shutil.rmtree(path)
        else:
            path.rename(target)
            os.utime(target, (self._clock(), self._clock()))


def source_in(folder: Path, name: str = "") -> Source:
    """The source a folder holds: FHIR bulk NDJSON or relational CSV. ``name``: the source system, if it is not the folder's.

    Raises FileNotFoundError saying what was looked for, ValueError for an ``export.json`` that does not say.
    """
    if any(folder.glob("*.ndjson")):
        return FhirFolder(folder, f"fhir:{name or folder.name}")
    if any(folder.glob("*.csv")):
        return CsvFolder(folder, f"csv:{name or folder.name}")
    raise FileNotFoundError(f"{folder}: neither *.ndjson (FHIR R4 bulk export) nor *.csv (relational tables) in it")


def read_content(folder: Path) -> Content:
    """Read a delivery through."""
    leaves, files, size, foreign = [], 0, 0, []
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not path.is_file():
            foreign.append(path.name)
            leaves.append(merkle.leaf_hash(b"other:" + path.name.encode()))
            continue
        files, size = files + 1, size + path.stat().st_size
        leaves.append(merkle.leaf_hash(b"file:" + path.name.encode()))
        with path.open("rb") as file:
            leaves += [merkle.leaf_hash(b"data:" + chunk) for chunk in iter(partial(file.read, _CHUNK), b"")]
    return Content(merkle.root(leaves), files, size, foreign)


def _judged(session: Session, row: Delivery, content: Content, same: Delivery | None) -> tuple[str, str | None]:
    """What is to become of a delivery before anything of it is read."""
    if same is not None:
        return DUPLICATE, f"the same bytes came as {same.name}"
    if content.foreign:
        return REFUSED, f"only files may be in a delivery, not {', '.join(content.foreign[:3])}"
    newer = select(Delivery.name).where(Delivery.source == row.source, Delivery.status == IMPORTED, Delivery.name >= row.name)
    if (newest := session.scalar(newer.order_by(Delivery.name.desc()).limit(1))) is not None:
        return REFUSED, f"{newest} is in already and would be overwritten by what is older: deliver it under a later name"
    return RUNNING, None


def _same(session: Session, source: str, digest: bytes) -> Delivery | None:
    known = (Delivery.source == source, Delivery.digest == digest, Delivery.status == IMPORTED)
    return session.scalar(select(Delivery).where(*known).limit(1))


def _running(session: Session, source: str, name: str) -> Delivery | None:
    killed = (Delivery.source == source, Delivery.name == name, Delivery.status == RUNNING)
    return session.scalar(select(Delivery).where(*killed))


def _folders(folder: Path) -> list[Path]:
    return [path for path in _all(folder) if not path.name.startswith(".") and path.is_dir() and not path.is_symlink()]


def _all(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _changed(delivery: Path) -> float:
    return max(path.lstat().st_mtime for path in (delivery, *delivery.iterdir()))
