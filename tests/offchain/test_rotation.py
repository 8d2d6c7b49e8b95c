"""A new wrapping key: everything goes under it, nothing is lost on the way, the key before opens nothing any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.keyring import begin_rotation, load_or_create
from gateway.settings import Settings
from healthtrust.custody import rotate_wrapping_key
from offchain import rotation
from offchain.claim import AlreadyClaimed, claimed
from offchain.envelope import Envelope, EnvelopeError
from offchain.intake.fhir import FhirFolder
from offchain.models import Quarantine, RecordKey
from offchain.repository import Records
from tests.offchain.intake_kit import ORGANISATION, Kit, open_kit
from tests.offchain.test_intake_sources import PATIENT, condition, ndjson

RECORDS = 7


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    (tmp_path / "export").mkdir()
    ndjson(tmp_path / "export" / "a.ndjson", *(condition(i) for i in range(RECORDS - 1)), b"{", PATIENT)
    made = open_kit(tmp_path)
    made.run(FhirFolder(tmp_path / "export", "hospital", full=True))
    return made


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "hospital" / "keys.json"


def all_open(kit: Kit, envelope: Envelope) -> None:
    records = Records(ORGANISATION, kit.custodian.store, envelope)
    with kit.custodian.sessions() as session:
        assert len([records.content(session, entry) for entry in kit.entries()]) == RECORDS
        (row,) = session.scalars(select(Quarantine)).all()
        assert row.content is not None
        assert envelope.open_row(row.digest, row.content).startswith(b"{")


def test_everything_goes_under_the_new_key_and_the_old_one_is_useless(kit: Kit, keys: Path, tmp_path: Path) -> None:
    before = load_or_create(keys, "hospital")
    with kit.custodian.sessions() as session:
        wrapped = [row.wrapped for row in session.scalars(select(RecordKey))]
    told: list[int] = []
    assert rotation.rotate(kit.custodian.sessions, keys, "hospital", told.append) == RECORDS + 1
    assert told[-1] == RECORDS + 1
    after = load_or_create(keys, "hospital")
    assert (after.wrap != before.wrap, after.older, after.ids, after.sm2) == (True, (), before.ids, before.sm2)
    all_open(kit, rotation.open_envelope(keys, "hospital"))
    files = [tmp_path / "hospital" / name for name in ("store.db", "store.db-wal")]
    assert not any(old in f.read_bytes() for f in files if f.exists() for old in wrapped if old)
    with pytest.raises(EnvelopeError):
        all_open(kit, Envelope(bytes.fromhex(before.wrap)))


def test_a_gate_that_runs_reads_on(kit: Kit, keys: Path) -> None:
    of_gate = rotation.open_envelope(keys, "hospital")
    rotation.rotate(kit.custodian.sessions, keys, "hospital")
    all_open(kit, of_gate)


def test_pages_larger_than_one(kit: Kit, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "ROWS", 2)
    told: list[int] = []
    assert rotation.rotate(kit.custodian.sessions, keys, "hospital", told.append) == RECORDS + 1
    assert told == [2, 4, 6, 7, 8]
    all_open(kit, rotation.open_envelope(keys, "hospital"))


def test_one_that_was_interrupted_goes_on_with_its_key(kit: Kit, keys: Path) -> None:
    begun = begin_rotation(keys, "hospital")
    all_open(kit, rotation.open_envelope(keys, "hospital"))
    assert rotation.rotate(kit.custodian.sessions, keys, "hospital") == RECORDS + 1
    assert load_or_create(keys, "hospital").wrap == begun.wrap


def test_a_record_that_does_not_open_stops_it_and_no_key_is_forgotten(kit: Kit, keys: Path) -> None:
    before = load_or_create(keys, "hospital")
    with kit.custodian.sessions.begin() as session:
        row = session.scalars(select(RecordKey)).first()
        assert row is not None
        row.wrapped = bytes(44)
    with pytest.raises(EnvelopeError):
        rotation.rotate(kit.custodian.sessions, keys, "hospital")
    assert load_or_create(keys, "hospital").older == (before.wrap,)


def test_two_at_once_are_refused_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    hold = "import sys, time; from pathlib import Path; from offchain.claim import claimed\n"
    hold += "with claimed(Path(sys.argv[1]), 'an import'): print('held', flush=True); time.sleep(600)"
    folder = tmp_path / "custodians" / "TEST-SZXYY"
    folder.mkdir(parents=True)
    other = subprocess.Popen([sys.executable, "-c", hold, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(AlreadyClaimed, match=rf"an import is under way \(process {other.pid}\)"), claimed(folder, "another"):
            pass
        with pytest.raises(AlreadyClaimed):
            rotate_wrapping_key(Settings(home=tmp_path), "TEST-SZXYY")
    finally:
        os.kill(other.pid, signal.SIGKILL)
        other.communicate()
    with claimed(folder, "another"):
        pass
