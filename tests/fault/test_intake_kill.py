"""kill -9 at every single write of an import and of anchoring: a second run finishes, without doubles and without losses."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from core.record import RecordTree
from gateway.ledger import outbox
from offchain import standards
from offchain.anchor import Anchorer
from offchain.intake.bulk import BulkIndexer, BulkSource
from offchain.intake.fhir import FhirFolder
from offchain.models import AnchorBatch, EntryFile, Quarantine
from offchain.trees import TreeFile
from tests.offchain.intake_kit import ORGANISATION, open_kit
from tests.offchain.test_deliveries import Night
from tests.offchain.test_intake_sources import PATIENT, condition, ndjson

RECORDS = 9
ENOUGH = 200


class _Countdown:
    """Kills this process at the n-th write: before and after every fsync, before and after every commit."""

    def __init__(self, at: int) -> None:
        self._left = at
        real = os.fsync

        def fsync(fd: int) -> None:
            self.tick()
            real(fd)
            self.tick()

        os.fsync = fsync
        event.listen(Engine, "commit", lambda _connection: self.tick())
        event.listen(Session, "after_commit", lambda _session: self.tick())

    def tick(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _killed_at(point: int, work: Callable[[], None]) -> bool:
    """Run in a child that is killed at this write; False when it came through."""
    child = os.fork()
    if child == 0:
        try:
            _Countdown(point)
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def _every_point(tmp_path: Path, work: Callable[[Path], None], check: Callable[[Path], None]) -> int:
    open_kit(tmp_path / "first")  # what making a database imports is imported here, not in each child
    for point in range(1, ENOUGH):
        home = tmp_path / str(point)
        home.mkdir()
        if not _killed_at(point, lambda home=home: work(home)):
            check(home)
            return point
        work(home)
        check(home)
    raise AssertionError("more writes than expected")


@pytest.fixture
def export(tmp_path: Path) -> Path:
    made = tmp_path / "export"
    made.mkdir()
    ndjson(made / "a.ndjson", *(condition(i) for i in range(RECORDS - 1)), b"{", PATIENT)
    return made


def test_an_import_survives_kill_at_every_write(tmp_path: Path, export: Path) -> None:
    def work(home: Path) -> None:
        kit = open_kit(home)
        kit.run(FhirFolder(export, "hospital", full=True), batch_rows=4)
        Anchorer(ORGANISATION, kit.custodian.sessions, home / "trees", batch_entries=4).batch()

    def check(home: Path) -> None:
        kit = open_kit(home)
        entries = kit.entries()
        assert [e.sequence for e in entries] == list(range(RECORDS))
        assert {e.version for e in entries} == {1}
        assert len({e.record for e in entries}) == RECORDS
        assert kit.count(Quarantine) == 1
        with kit.custodian.sessions() as session:
            for entry in entries:
                content = kit.records.content(session, entry)
                kind = standards.by_id(entry.schema)
                assert kind is not None
                assert RecordTree(entry.schema, kind.element_count, content.elements, content.salt).commitment == entry.commitment
            batches = list(session.scalars(select(AnchorBatch).order_by(AnchorBatch.batch)))
            operations = list(session.scalars(select(outbox.Operation)))
        assert [(b.first_sequence, b.count) for b in batches] == [(0, 4), (4, 4), (8, 1)]
        assert [b.previous_root for b in batches] == [bytes(32), *(b.root for b in batches[:-1])]
        assert sorted(o.key for o in operations) == [b.operation for b in batches]
        for batch in batches:
            with TreeFile(home / "trees" / f"{batch.batch:08d}.tree") as tree:
                assert tree.root == batch.root

    assert _every_point(tmp_path, work, check) > 25


def test_a_changed_row_survives_kill_at_every_write(tmp_path: Path, export: Path) -> None:
    def work(home: Path) -> None:
        folder = home / "export"
        folder.mkdir(exist_ok=True)
        kit = open_kit(home)
        if not (folder / "done").exists():
            ndjson(folder / "a.ndjson", PATIENT, condition(1), condition(2))
            kit.run(FhirFolder(folder, "hospital", full=True))
            (folder / "done").touch()
        ndjson(folder / "a.ndjson", PATIENT, condition(1, abatementDateTime="2024-02-01"))
        kit.run(FhirFolder(folder, "hospital", full=True))

    def check(home: Path) -> None:
        kit = open_kit(home)
        assert sorted((e.version, e.flags) for e in kit.of_type("diagnosis")) == [(1, 0), (1, 0), (2, 0), (2, 1)]

    assert _every_point(tmp_path, work, check) > 15


def test_a_delivery_survives_kill_at_every_write(tmp_path: Path) -> None:
    def work(home: Path) -> None:
        night = Night(home)
        if not (home / "delivered").exists():
            night.deliver("2026-11-21", *(condition(i) for i in range(RECORDS - 1)), b"{", PATIENT)
            (home / "delivered").touch()
        night.take()

    def check(home: Path) -> None:
        night = Night(home)
        (row,) = night.rows()
        assert (row.status, row.through) == ("imported", RECORDS)
        assert row.run == max(q.last_run for q in night.kit.quarantined())
        assert [(e.sequence, e.version) for e in night.kit.entries()] == [(n, 1) for n in range(RECORDS)]
        assert night.inbox.waiting("his") == []
        assert len(list((night.folder / "his" / ".done").iterdir())) == 1

    assert _every_point(tmp_path, work, check) > 25


def test_the_bulk_path_survives_kill_at_every_write(tmp_path: Path) -> None:
    file = tmp_path / "records"
    file.write_bytes(b"".join(b"record %d\n" % i for i in range(25)))

    def work(home: Path) -> None:
        kit = open_kit(home)
        anchorer = Anchorer(ORGANISATION, kit.custodian.sessions, home / "trees")
        bulk = BulkIndexer(
            ORGANISATION, kit.custodian.sessions, anchorer, home / "bulk", bytes(32), processes=1, batch_entries=10
        )
        bulk.run(BulkSource(file, "bulk", b"s" * 32), 1)

    def check(home: Path) -> None:
        kit = open_kit(home)
        with kit.custodian.sessions() as session:
            files = list(session.scalars(select(EntryFile).order_by(EntryFile.first_sequence)))
            batches = list(session.scalars(select(AnchorBatch).order_by(AnchorBatch.batch)))
        assert [(f.first_sequence, f.count) for f in files] == [(0, 10), (10, 10), (20, 5)]
        assert [(b.first_sequence, b.count) for b in batches] == [(0, 10), (10, 10), (20, 5)]

    assert _every_point(tmp_path, work, check) > 5
