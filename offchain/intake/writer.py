"""Writing a batch of record versions: content first, then one transaction with everything that points to it.

Crash order: 1. segments written and fsynced; 2. commit of entries, keys, heads and quarantine. Between the two only unreferenced
ciphertext remains, whose keys were never stored; the next run imports the rows again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import Table, insert, select, update
from sqlalchemy.orm import Session

from core.entry import TOMBSTONE
from core.words import ZERO
from gateway.ledger.db import writing
from offchain.database import Sessions
from offchain.envelope import Envelope, Sealed
from offchain.models import Base, EntryRow, Quarantine, Record, RecordKey
from offchain.quality import Rule
from offchain.repository import take_sequences
from offchain.stores.port import Location, Store


@dataclass(frozen=True, slots=True)
class Version:
    """One record version to be written. ``plaintext`` None = tombstone. ``before``: whether the record is known already."""

    record: bytes
    number: int
    subject: bytes
    schema: bytes
    category: int
    commitment: bytes
    previous: bytes
    recorded_at: int
    fingerprint: bytes
    plaintext: bytes | None
    before: bool


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row for quarantine. ``record``: its record id where it could be told."""

    file: str
    line: int
    rule: Rule
    detail: str
    digest: bytes
    raw: bytes | None
    record: bytes | None


@dataclass
class Batch:
    """What one batch of rows comes to. ``seen``: records that are there and stay as they are."""

    versions: list[Version] = field(default_factory=list)
    seen: list[bytes] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


class Writer:
    """Writes batches for one source and run."""

    def __init__(self, sessions: Sessions, store: Store, envelope: Envelope, source: str, run: int) -> None:
        self._sessions = sessions
        self._store = store
        self._envelope = envelope
        self._source = source
        self._run = run

    def write(self, batch: Batch, now: int) -> None:
        """Make a batch durable. Raises StoreFull, StoreError, OperationalError; then nothing of it counts."""
        sealed = [self._seal(v) for v in batch.versions]
        places = iter(self._store.append([s.blob for s in sealed if s is not None]))
        located = [(s, next(places)) if s is not None else None for s in sealed]
        with self._sessions.begin() as session:
            writing(session)
            if batch.versions:
                self._versions(session, batch.versions, located, now)
            if batch.seen:
                session.execute(update(Record), [{"record": r, "run_seen": self._run} for r in dict.fromkeys(batch.seen)])
            for rejected in batch.rejected:
                self._quarantine(session, rejected)

    def _seal(self, v: Version) -> Sealed | None:
        return None if v.plaintext is None else self._envelope.seal(v.record, v.number, v.schema, v.plaintext)

    def _versions(
        self, session: Session, versions: Sequence[Version], located: Sequence[tuple[Sealed, Location] | None], now: int
    ) -> None:
        first = take_sequences(session, len(versions))
        numbered = list(zip(range(first, first + len(versions)), versions, located, strict=True))
        session.execute(insert(_table(EntryRow)), [_entry(n, v, x[1] if x else None, now) for n, v, x in numbered])
        keys = [_key(v, x[0]) for _, v, x in numbered if x is not None]
        if keys:
            session.execute(insert(_table(RecordKey)), keys)
        heads = [(v.before, self._head(n, v)) for n, v, _ in numbered]
        for before, statement in ((False, insert(_table(Record))), (True, update(Record))):
            chosen = [h for b, h in heads if b is before]
            if chosen:
                session.execute(statement, chosen)
        self._resolve(session, [v.record for v in versions])

    def _head(self, sequence: int, v: Version) -> dict[str, Any]:
        return {
            "record": v.record,
            "subject": v.subject,
            "schema": v.schema,
            "category": v.category,
            "version": v.number,
            "sequence": sequence,
            "commitment": v.commitment,
            "recorded_at": v.recorded_at,
            "tombstone": v.plaintext is None,
            "source": self._source,
            "fingerprint": v.fingerprint,
            "run_seen": self._run,
        }

    def _resolve(self, session: Session, records: Sequence[bytes]) -> None:
        opened = (Quarantine.source == self._source, Quarantine.resolved.is_(False), Quarantine.record.in_(records))
        session.execute(update(Quarantine).where(*opened).values(resolved=True), execution_options={"synchronize_session": False})

    def _quarantine(self, session: Session, r: Rejected) -> None:
        place = (Quarantine.source == self._source, Quarantine.file == r.file, Quarantine.line == r.line)
        row = session.scalar(select(Quarantine).where(*place, Quarantine.rule == r.rule.number, Quarantine.digest == r.digest))
        if row is None:
            row = Quarantine(
                source=self._source,
                file=r.file[-255:],
                line=r.line,
                rule=r.rule.number,
                detail=r.detail[:255],
                digest=r.digest,
                record=r.record,
                content=None if r.raw is None else self._envelope.seal_row(r.digest, r.raw),
                first_run=self._run,
            )
            session.add(row)
        row.last_run, row.resolved = self._run, False
        session.flush()


def _table(model: type[Base]) -> Table:
    # Inserting into the table instead of the class skips the ORM's bookkeeping, which costs more than the insert.
    return cast(Table, model.__table__)


def _entry(sequence: int, v: Version, place: Location | None, now: int) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "record": v.record,
        "version": v.number,
        "subject": v.subject,
        "schema": v.schema,
        "category": v.category,
        "flags": TOMBSTONE if v.plaintext is None else 0,
        "commitment": v.commitment,
        "previous": v.previous,
        "recorded_at": v.recorded_at,
        "indexed_at": now,
        "segment": place.segment if place else None,
        "offset": place.offset if place else None,
        "length": place.length if place else None,
    }


def _key(v: Version, sealed: Sealed) -> dict[str, Any]:
    return {"record": v.record, "version": v.number, "wrapped": sealed.wrapped, "wrapped_by": sealed.wrapped_by}


def tombstone(head: Record, now: int) -> Version:
    """The version that says a record is gone at its source. Its fingerprint equals no row's, so the row's return is a change."""
    what = (head.record, head.version + 1, head.subject, head.schema, head.category)
    return Version(*what, ZERO, head.commitment, now, ZERO, None, before=True)
