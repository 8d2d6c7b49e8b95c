"""The bulk path: bytes as received, every line an entry, every entry provable, nothing twice."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from core.entry import SIZE, IndexEntry
from core.ids import record_id
from gateway.ledger import outbox
from offchain.anchor import Anchorer
from offchain.intake.bulk import BulkIndexer, BulkSource, find, ranges
from offchain.intake.bulk_worker import Task, WorkerFailed, Workers
from offchain.intake.fhir import FhirFolder
from offchain.models import EntryFile
from tests.offchain.intake_kit import Kit, open_kit
from tests.offchain.test_intake_sources import PATIENT, condition, ndjson
from tests.support.chains import DoubleChain
from tests.support.world import World, build_world

KEY, SCHEMA = b"k" * 32, b"s" * 32


@pytest.fixture
def world() -> Iterator[World]:
    made = build_world(DoubleChain())
    yield made
    made.close()


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return open_kit(tmp_path / "home")


def _indexer(kit: Kit, organisation: bytes, home: Path, most: int = 10) -> tuple[Anchorer, BulkIndexer]:
    anchorer = Anchorer(organisation, kit.custodian.sessions, home / "trees", batch_entries=most)
    bulk = BulkIndexer(organisation, kit.custodian.sessions, anchorer, home / "bulk", KEY, processes=2, batch_entries=most)
    return anchorer, bulk


def test_every_line_becomes_an_entry_that_proves_and_commits_to_its_bytes(kit: Kit, world: World, tmp_path: Path) -> None:
    owner = world.hospital
    anchorer, bulk = _indexer(kit, owner.id, tmp_path)
    rows = [b"record %d \xff\r" % i for i in range(33)]
    file = tmp_path / "records"
    file.write_bytes(b"".join(r + b"\n" for r in rows))
    assert bulk.run(BulkSource(file, "bulk", SCHEMA), 5).entries == 33
    for _ in range(2):
        outbox.work(kit.custodian.sessions, owner.ledger)
    assert anchorer.settle() == 4
    salts = b"".join((tmp_path / "bulk" / f"{n:012d}.salts").read_bytes() for n in (0, 10, 20, 30))
    at = 0
    for sequence, row in enumerate(rows):
        proof = anchorer.proof(sequence)
        assert proof.holds()
        entry = IndexEntry.unpack(proof.entry)
        assert (entry.sequence, entry.organisation, entry.schema) == (sequence, owner.id, SCHEMA)
        assert entry.record == record_id(KEY, "bulk", str(at))
        assert entry.commitment == hmac.digest(salts[32 * sequence : 32 * sequence + 32], row, "sm3")
        at += len(row) + 1


def test_a_file_that_grew_is_continued_and_one_that_did_not_changes_nothing(kit: Kit, tmp_path: Path) -> None:
    _, bulk = _indexer(kit, SCHEMA, tmp_path)
    file = tmp_path / "records"
    file.write_bytes(b"a\nb\nhalf a li")
    source = BulkSource(file, "bulk", SCHEMA)
    assert (bulk.run(source, 1).entries, bulk.run(source, 1).entries) == (2, 0)
    with file.open("ab") as more:
        more.write(b"ne\nd\n")
    report = bulk.run(source, 1)
    assert (report.entries, report.skipped) == (2, 4)
    with kit.custodian.sessions() as session:
        assert [(f.first_sequence, f.count) for f in session.scalars(select(EntryFile))] == [(0, 2), (2, 2)]


def test_bulk_and_ordinary_entries_share_one_run_of_sequences(kit: Kit, world: World, tmp_path: Path) -> None:
    owner = world.hospital
    anchorer, bulk = _indexer(kit, owner.id, tmp_path)
    export = tmp_path / "export"
    export.mkdir()
    ndjson(export / "a.ndjson", PATIENT, condition(1))
    kit.run(FhirFolder(export, "hospital"))
    file = tmp_path / "records"
    file.write_bytes(b"a\nb\nc\n")
    bulk.run(BulkSource(file, "bulk", SCHEMA), 1)
    ndjson(export / "a.ndjson", PATIENT, condition(1), condition(2))
    kit.run(FhirFolder(export, "hospital"))
    anchorer.batch()
    for _ in range(2):
        outbox.work(kit.custodian.sessions, owner.ledger)
    anchorer.settle()
    assert [IndexEntry.unpack(anchorer.proof(i).entry).sequence for i in range(6)] == list(range(6))
    assert all(anchorer.proof(i).holds() for i in range(6))


def test_an_entry_is_found_by_its_record_id(kit: Kit, tmp_path: Path) -> None:
    _, bulk = _indexer(kit, SCHEMA, tmp_path, most=100)
    file = tmp_path / "records"
    file.write_bytes(b"abcd\n" * 20)
    bulk.run(BulkSource(file, "bulk", SCHEMA), 1)
    entries = tmp_path / "bulk" / f"{0:012d}.entries"
    assert entries.stat().st_size == 20 * SIZE
    assert find(entries, record_id(KEY, "bulk", "35")) == 7
    assert find(entries, record_id(KEY, "bulk", "36")) is None


def test_a_worker_that_cannot_read_says_why_and_nothing_is_kept(tmp_path: Path) -> None:
    task = Task(str(tmp_path / "gone"), 0, 1, 1, 0, str(tmp_path / "t"), str(tmp_path / "f"), "00", "00", "n", "00", 0, 0)
    with Workers(1) as workers, pytest.raises(WorkerFailed, match="No such file"):
        list(workers.run([task]))
    (tmp_path / "short").write_bytes(b"a\n")
    with Workers(1) as workers, pytest.raises(WorkerFailed, match="changed while"):
        list(workers.run([Task(**{**vars(task), "path": str(tmp_path / "short"), "end": 2, "count": 2})]))
    assert not (tmp_path / "t").exists()


_LINE = st.binary(max_size=12).filter(lambda b: b"\n" not in b)


@given(st.lists(_LINE, max_size=40), st.binary(max_size=5), st.integers(1, 9), st.integers(1, 50))
def test_ranges_cover_every_whole_line_once(
    tmp_path_factory: pytest.TempPathFactory, rows: list[bytes], tail: bytes, most: int, scan: int
) -> None:
    file = tmp_path_factory.mktemp("ranges") / "f"
    tail = tail.replace(b"\n", b"")
    file.write_bytes(b"".join(r + b"\n" for r in rows) + tail)
    data, found, end = file.read_bytes(), [], 0
    for begin, stop, count in ranges(file, 0, most, scan):
        assert begin == end
        assert 1 <= count <= most
        piece = data[begin:stop]
        assert piece.endswith(b"\n")
        assert piece.count(b"\n") == count
        found += piece[:-1].split(b"\n")
        end = stop
    assert found == rows
    assert data[end:] == tail
