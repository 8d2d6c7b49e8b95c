"""From a source's rows to index entries: compare with the last run, map, check, find the person, commit, encrypt, write.

T+1: only rows that are new or differ from the last run become versions; a run may be killed anywhere and simply run again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.errors import HealthTrustError
from core.hexes import to_hex
from core.ids import random32
from core.record import RecordTree
from core.words import ZERO
from offchain import quality, standards
from offchain.database import Sessions
from offchain.empi import Empi, IdentityConflict
from offchain.envelope import Envelope
from offchain.intake.port import Draft, Identity, Ignored, Link, Source, SourceFault, SourceRecord
from offchain.intake.report import RunReport
from offchain.intake.writer import Batch, Rejected, Version, Writer, tombstone
from offchain.keys import CustodianKeys
from offchain.models import ImportRun, Quarantine, Record
from offchain.quality import Rule
from offchain.repository import Content, pack
from offchain.standards.classification import category_of
from offchain.stores.port import Store

_CHUNK = 500


@dataclass(frozen=True)
class Custodian:
    """Where records of one custodian go: database, content store, keys."""

    sessions: Sessions
    store: Store
    envelope: Envelope
    keys: CustodianKeys


@dataclass(frozen=True, slots=True)
class Head:
    """The newest known version of a record, as far as intake has to know."""

    version: int
    commitment: bytes
    fingerprint: bytes
    run_seen: int


@dataclass(slots=True)
class Candidate:
    """A row that is new or changed."""

    row: SourceRecord
    record: bytes
    fingerprint: bytes
    head: Head | None
    draft: Draft | None = None


class Intake:
    """Imports sources into one custodian. ``largest_vanishing``: share of a source's records a full export may make vanish."""

    def __init__(
        self,
        custodian: Custodian,
        empi: Empi,
        *,
        clock: Callable[[], float] = time.time,
        batch_rows: int = 1000,
        largest_vanishing: float = 0.2,
    ) -> None:
        self._custodian = custodian
        self._empi = empi
        self._clock = clock
        self._rows = batch_rows
        self._vanishing = largest_vanishing

    def run(self, source: Source) -> RunReport:
        """Import everything that changed since the last run. Raises StoreFull and database errors; run it again after those."""
        started = time.monotonic()
        report = RunReport(self._begin(source), source.name, source.full)
        one = _Run(self._custodian, self._empi, source, report, self._clock)
        rows = source.read()
        while items := list(islice(rows, self._rows)):
            one.take(items)
        one.bury_vanished(self._vanishing)
        report.seconds = time.monotonic() - started
        self._finish(report)
        return report

    def _begin(self, source: Source) -> int:
        with self._custodian.sessions.begin() as session:
            run = ImportRun(source=source.name, started=int(self._clock()), status="running", full=source.full)
            session.add(run)
            session.flush()
            return run.id

    def _finish(self, report: RunReport) -> None:
        done = {"finished": int(self._clock()), "status": "finished", "report": orjson.dumps(report.to_json()).decode()}
        with self._custodian.sessions.begin() as session:
            session.execute(update(ImportRun).where(ImportRun.id == report.run).values(**done))
            if report.full:
                gone = (Quarantine.source == report.source, Quarantine.last_run < report.run, Quarantine.resolved.is_(False))
                session.execute(update(Quarantine).where(*gone).values(resolved=True))


class _Run:
    def __init__(self, custodian: Custodian, empi: Empi, source: Source, report: RunReport, clock: Callable[[], float]) -> None:
        self._custodian = custodian
        self._keys = custodian.keys
        self._empi = empi
        self._source = source
        self._report = report
        self._clock = clock
        self._writer = Writer(custodian.sessions, custodian.store, custodian.envelope, source.name, report.run)
        self._subjects: dict[Identity, bytes] = {}
        self._unreadable = 0

    def take(self, items: Sequence[SourceRecord | SourceFault]) -> None:
        """One batch of rows, all the way to disk."""
        now = int(self._clock())
        batch = Batch()
        for fault in (i for i in items if isinstance(i, SourceFault)):
            self._fault(batch, fault)
        drafted = self._sort(batch, [i for i in items if isinstance(i, SourceRecord)], now)
        for candidate, subject in self._people(batch, drafted):
            self._version(batch, candidate, subject, now)
        self._writer.write(batch, now)

    def bury_vanished(self, largest_share: float) -> None:
        """Tombstones for what a full export no longer has, unless that cannot be told for sure."""
        if not self._source.full:
            return
        mine = (Record.source == self._source.name, Record.tombstone.is_(False))
        with self._custodian.sessions() as session:
            known = session.scalar(select(func.count()).select_from(Record).where(*mine)) or 0
            gone = session.scalar(select(func.count()).select_from(Record).where(*mine, Record.run_seen < self._report.run)) or 0
        if gone and self._unreadable:
            self._report.tombstones_withheld = f"{gone} records are missing, but {self._unreadable} lines could not be read"
        elif gone > max(10, known * largest_share):
            self._report.tombstones_withheld = f"{gone} of {known} records are missing: too many to believe"
        else:
            self._bury(gone)

    def _bury(self, gone: int) -> None:
        missing = (Record.source == self._source.name, Record.tombstone.is_(False), Record.run_seen < self._report.run)
        while self._report.tombstones < gone:
            now = int(self._clock())
            with self._custodian.sessions() as session:
                heads = session.scalars(select(Record).where(*missing).limit(_CHUNK)).all()
            self._writer.write(Batch(versions=[tombstone(h, now) for h in heads]), now)
            self._report.tombstones += len(heads)

    def _fault(self, batch: Batch, fault: SourceFault) -> None:
        self._unreadable += fault.lines
        self._report.lines += fault.lines
        digest = self._keys.fingerprint(fault.raw if fault.raw is not None else fault.detail.encode())
        self._reject(batch, Rejected(fault.file, fault.line, fault.rule, fault.detail, digest, fault.raw, None), fault.lines)

    def _reject(self, batch: Batch, rejected: Rejected, lines: int = 1, kind: str = "") -> None:
        batch.rejected.append(rejected)
        self._report.rules[rejected.rule.number] += lines
        self._report.count(kind or rejected.file, "quarantined", lines)

    def _refuse(self, batch: Batch, c: Candidate, rule: Rule, detail: str) -> None:
        row = c.row
        self._reject(batch, Rejected(row.file, row.line, rule, detail, c.fingerprint, row.raw, c.record), kind=row.type)
        if c.head is not None:
            batch.seen.append(c.record)

    # --- what is new or changed

    def _sort(self, batch: Batch, rows: Sequence[SourceRecord], now: int) -> list[Candidate]:
        """Rows that are new or changed, mapped and good."""
        records = [self._keys.record_id(self._source.name, f"{r.type}/{r.id}") for r in rows]
        good = []
        with self._custodian.sessions() as session:
            heads = _heads(session, records)
            for row, record in zip(rows, records, strict=True):
                candidate = self._compare(session, batch, heads, row, record)
                if candidate is not None and self._draft(batch, candidate, now):
                    good.append(candidate)
                elif candidate is not None:
                    _undo(heads, candidate, self._report.run)
        return good

    def _compare(
        self, session: Session, batch: Batch, heads: dict[bytes, Head | None], row: SourceRecord, record: bytes
    ) -> Candidate | None:
        self._report.lines += 1
        fingerprint = self._keys.fingerprint(row.raw)
        if not row.named:
            record = self._settle(session, heads, row, record, fingerprint)
        head = heads.get(record)
        candidate = Candidate(row, record, fingerprint, head)
        if head is not None and head.run_seen == self._report.run:
            self._again(batch, candidate, head)
            return None
        heads[record] = Head(head.version if head else 0, head.commitment if head else ZERO, fingerprint, self._report.run)
        if head is not None and head.fingerprint == fingerprint:
            batch.seen.append(record)
            self._report.count(row.type, "unchanged")
            return None
        return candidate

    def _again(self, batch: Batch, c: Candidate, head: Head) -> None:
        if head.fingerprint == c.fingerprint:
            self._report.count(c.row.type, "duplicate")
        else:
            self._refuse(batch, Candidate(c.row, c.record, c.fingerprint, None), Rule.CONFLICT, "")

    def _settle(
        self, session: Session, heads: dict[bytes, Head | None], row: SourceRecord, record: bytes, fingerprint: bytes
    ) -> bytes:
        """Which row with the same made-up id this is: the one that is equal, else the first not seen yet, else a new one."""
        free: bytes | None = None
        number = 1
        while (head := self._head(session, heads, record)) is not None:
            if head.fingerprint == fingerprint:
                return record
            if free is None and head.run_seen != self._report.run:
                free = record
            number += 1
            record = self._keys.record_id(self._source.name, f"{row.type}/{row.id}#{number}")
        return free if free is not None else record

    def _head(self, session: Session, heads: dict[bytes, Head | None], record: bytes) -> Head | None:
        if record not in heads:
            heads.update(_heads(session, [record]))
        return heads.get(record)

    # --- mapping and checking

    def _draft(self, batch: Batch, c: Candidate, now: int) -> bool:
        try:
            mapped = self._source.map(c.row)
        except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
            self._refuse(batch, c, Rule.VALUE, f"not as the standard says ({type(error).__name__})")
            return False
        if isinstance(mapped, Ignored) or (mapped.retracted and c.head is None):
            reason = mapped.reason if isinstance(mapped, Ignored) else "retracted before it was imported"
            self._report.ignored[f"{c.row.type} ({reason})"] += 1
            return False
        c.draft = mapped
        return mapped.retracted or self._passes(batch, c, mapped, now)

    def _passes(self, batch: Batch, c: Candidate, draft: Draft, now: int) -> bool:
        moment = datetime.fromtimestamp(now, UTC)
        findings = [*draft.findings, *quality.check(draft.type, draft.values, moment)]
        if draft.person is None and draft.patient is None:
            findings.insert(0, (Rule.NO_PATIENT, ""))
        if findings:
            self._refuse(batch, c, *findings[0])
        return not findings

    def _people(self, batch: Batch, drafted: Sequence[Candidate]) -> Iterator[tuple[Candidate, bytes]]:
        registered = self._register([c for c in drafted if c.draft and c.draft.person])
        self._resolve(c.draft.patient for c in drafted if c.draft and c.draft.patient)
        for c in drafted:
            patient = c.draft.patient if c.draft else None
            subject = registered.get(c.record) or (self._subjects.get(patient) if patient else None)
            if isinstance(subject, bytes):
                yield c, subject
            elif isinstance(subject, IdentityConflict):
                self._refuse(batch, c, Rule.IDENTITY, str(subject))
            else:
                self._refuse(batch, c, Rule.PATIENT_UNKNOWN, "")

    def _register(self, people: Sequence[Candidate]) -> dict[bytes, bytes | IdentityConflict]:
        own = [("", c.row.id) for c in people]
        persons = [c.draft.person for c in people if c.draft and c.draft.person]
        named = [p if i in p.identities else _with(p, i) for p, i in zip(persons, own, strict=True)]
        subjects = self._empi.register(self._source.name, named)
        self._report.people += sum(isinstance(s, bytes) for s in subjects)
        return {c.record: s for c, s in zip(people, subjects, strict=True)}

    def _resolve(self, identities: Iterable[Identity]) -> None:
        if len(self._subjects) > 100_000:
            self._subjects.clear()
        unknown = {i for i in identities if i not in self._subjects}
        if unknown:
            self._subjects.update(self._empi.resolve(self._source.name, unknown))

    # --- the version to write

    def _version(self, batch: Batch, c: Candidate, subject: bytes, now: int) -> None:
        draft = c.draft
        if draft is None:
            return
        kind = standards.by_code(draft.type)
        category = _category(kind.category, draft)
        version = c.head.version + 1 if c.head else 1
        previous = c.head.commitment if c.head else ZERO
        common = (c.record, version, subject, kind.id, category)
        if draft.retracted:
            batch.versions.append(Version(*common, ZERO, previous, now, c.fingerprint, None, before=True))
            self._report.count(c.row.type, "retracted")
            return
        try:
            values = kind.number(self._linked(draft.values))
            tree = RecordTree(kind.id, kind.element_count, values, random32())
            commitment = tree.commitment
        except HealthTrustError as error:
            self._refuse(batch, c, Rule.VALUE, str(error))
            return
        plaintext = pack(Content(tree.record_salt, values))
        recorded = _seconds(draft.recorded, now)
        batch.versions.append(
            Version(*common, commitment, previous, recorded, c.fingerprint, plaintext, before=c.head is not None)
        )
        self._report.count(c.row.type, "changed" if c.head else "new")

    def _linked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: to_hex(self._keys.record_id(self._source.name, f"{v.type}/{v.id}")) if isinstance(v, Link) else v
            for name, v in values.items()
        }


def _heads(session: Session, records: Sequence[bytes]) -> dict[bytes, Head | None]:
    """What is known of these records; None for one that is not known."""
    columns = (Record.record, Record.version, Record.commitment, Record.fingerprint, Record.run_seen)
    found: dict[bytes, Head | None] = dict.fromkeys(records)
    for i in range(0, len(records), _CHUNK):
        for row in session.execute(select(*columns).where(Record.record.in_(records[i : i + _CHUNK]))):
            found[row[0]] = Head(*row[1:])
    return found


def _undo(heads: dict[bytes, Head | None], c: Candidate, run: int) -> None:
    """A refused row does not take its id: a good one with the same id may follow. One of a known record counts as seen."""
    if c.head is None:
        heads[c.record] = None
    else:
        heads[c.record] = Head(c.head.version, c.head.commitment, c.head.fingerprint, run)


def _with(person: Any, identity: Identity) -> Any:
    return type(person)((*person.identities, identity), person.name, person.birth_date, person.number)


def _category(default: int, draft: Draft) -> int:
    return next((n for n in (category_of(*c) for c in draft.codes) if n is not None), default)


def _seconds(recorded: str | None, now: int) -> int:
    """Recorded-at of the index entry: u64, so what was recorded before 1970 counts as 0 there (the content has the real time)."""
    moment = quality.parse_time(recorded) if recorded else None
    return now if moment is None else max(0, int(moment.timestamp()))
