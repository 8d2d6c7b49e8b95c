"""T+1: import twice = no change; a changed row = exactly one new version; what vanished is buried only when that is certain."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.record import RecordTree
from core.words import ZERO
from offchain import standards
from offchain.anchor import Anchorer
from offchain.envelope import ContentDestroyed
from offchain.intake.fhir import FhirFolder
from offchain.intake.tables import CsvFolder
from offchain.models import EntryRow
from tests.offchain.intake_kit import NOW, ORGANISATION, Kit, open_kit
from tests.offchain.test_intake_sources import CONDITIONS, PATIENT, PATIENTS, condition, folder, kit, ndjson

__all__ = ["folder", "kit"]


def _people(count: int) -> list[dict[str, object]]:
    return [{**PATIENT, "id": f"p{i}"} for i in range(count)]


def test_importing_twice_changes_nothing(kit: Kit, folder: Path) -> None:
    ndjson(folder / "a.ndjson", PATIENT, condition(1), condition(2))
    kit.run(FhirFolder(folder, "hospital"))
    before = [e.commitment for e in kit.entries()]
    report = kit.run(FhirFolder(folder, "hospital"))
    assert (report.total("unchanged"), report.total("new"), report.total("changed")) == (3, 0, 0)
    assert [e.commitment for e in kit.entries()] == before


def test_a_changed_row_is_exactly_one_new_version_that_names_the_one_before(kit: Kit, folder: Path) -> None:
    ndjson(folder / "a.ndjson", PATIENT, condition(1), condition(2))
    kit.run(FhirFolder(folder, "hospital"))
    ndjson(folder / "a.ndjson", PATIENT, condition(1, abatementDateTime="2024-02-01"), condition(2))
    for changed in (1, 0):
        report = kit.run(FhirFolder(folder, "hospital"))
        assert (report.total("changed"), report.total("unchanged")) == (changed, 3 - changed)
    versions = [e for e in kit.of_type("diagnosis") if e.version == 2]
    assert len(versions) == 1
    first, second = kit.record(versions[0])
    assert (first.version, second.version) == (1, 2)
    assert first.previous == ZERO
    assert second.previous == first.commitment
    assert kit.values(second)["abatement"] == "2024-02-01"
    assert "abatement" not in kit.values(first)
    assert kit.current(first.record).version == 2


def test_both_databases_go_through_the_whole_life_of_a_record(database_url: str, tmp_path: Path, folder: Path) -> None:
    kit = open_kit(tmp_path / "home", url=database_url)
    ndjson(folder / "a.ndjson", PATIENT, condition(1), condition(2), b"{")
    kit.run(FhirFolder(folder, "hospital", full=True))
    ndjson(folder / "a.ndjson", PATIENT, condition(1, abatementDateTime="2024-02-01"))
    report = kit.run(FhirFolder(folder, "hospital", full=True))
    assert (report.total("changed"), report.tombstones, kit.quarantined()) == (1, 1, [])
    assert kit.run(FhirFolder(folder, "hospital", full=True)).total("unchanged") == 2
    anchorer = Anchorer(ORGANISATION, kit.custodian.sessions, tmp_path / "trees", batch_entries=2)
    assert anchorer.batch() == 3
    record = kit.of_type("patient-summary")[0].record
    with kit.custodian.sessions.begin() as session:
        assert kit.records.destroy(session, record, by=b"a" * 32, reason="asked", at=NOW).versions == 1
    with pytest.raises(ContentDestroyed):
        kit.values(kit.of_type("patient-summary")[0])
    kit.custodian.sessions.kw["bind"].dispose()


def test_the_commitment_opens_with_the_stored_salt_and_values(kit: Kit, folder: Path) -> None:
    ndjson(folder / "a.ndjson", PATIENT, condition(1))
    kit.run(FhirFolder(folder, "hospital"))
    for entry in kit.entries():
        document = standards.by_id(entry.schema)
        assert document is not None
        with kit.custodian.sessions() as session:
            content = kit.records.content(session, entry)
        tree = RecordTree(entry.schema, document.element_count, content.elements, content.salt)
        assert tree.commitment == entry.commitment


def test_duplicates_are_counted_and_conflicts_refused(kit: Kit, folder: Path) -> None:
    other = condition(1, recordedDate="2023-01-01")
    ndjson(folder / "a.ndjson", PATIENT, condition(1), condition(1), other)
    for _ in range(2):
        report = kit.run(FhirFolder(folder, "hospital"))
        assert report.types["Condition"]["duplicate"] == 1
        assert [(q.line, q.rule) for q in kit.quarantined()] == [(4, "Q16")]
        assert kit.count(EntryRow) == 2


@pytest.mark.parametrize("batch_rows", [1, 2, 1000])
def test_the_size_of_a_batch_makes_no_difference(tmp_path: Path, folder: Path, batch_rows: int) -> None:
    kit = open_kit(tmp_path / str(batch_rows))
    ndjson(folder / "a.ndjson", condition(1), PATIENT, condition(1), b"{", condition(2), condition(1, recordedDate="2023-01-01"))
    report = kit.run(FhirFolder(folder, "hospital"), batch_rows=batch_rows)
    assert report.types["Condition"] == {"new": 2, "duplicate": 1, "quarantined": 1}
    assert [e.sequence for e in kit.entries()] == [0, 1, 2]


def test_rows_without_an_id_keep_their_records_when_they_are_reordered_or_changed(kit: Kit, folder: Path) -> None:
    (folder / "patients.csv").write_text(PATIENTS, "utf-8")
    twins = [f"2024-01-01,{stop},p1,e1,I10,x\n" for stop in ("", "2024-02-01", "2024-03-01")]

    def run(body: list[str]) -> tuple[int, int, int]:
        (folder / "conditions.csv").write_text(CONDITIONS + "".join(body), "utf-8")
        counts = kit.run(CsvFolder(folder, "district")).types["conditions"]
        return counts["new"], counts["changed"], counts["unchanged"]

    assert run(twins) == (3, 0, 0)
    assert run(twins[::-1]) == (0, 0, 3)
    changed = [twins[0], twins[1].replace("02-01", "02-02"), twins[2]]
    assert run(changed) == (0, 1, 2)
    assert run([*changed, "2024-01-01,2024-04-01,p1,e1,I10,x\n"]) == (1, 0, 3)
    assert run([twins[0], twins[0]]) == (0, 0, 1)


def test_a_full_export_buries_what_vanished_and_revives_what_returns(kit: Kit, folder: Path) -> None:
    ndjson(folder / "a.ndjson", PATIENT, condition(1), condition(2))
    kit.run(FhirFolder(folder, "hospital", full=True))
    ndjson(folder / "a.ndjson", PATIENT, condition(1))
    assert kit.run(FhirFolder(folder, "hospital", full=False)).tombstones == 0
    assert kit.run(FhirFolder(folder, "hospital", full=True)).tombstones == 1
    assert kit.run(FhirFolder(folder, "hospital", full=True)).tombstones == 0
    (grave,) = [e for e in kit.entries() if e.flags]
    assert (grave.version, grave.commitment, grave.segment) == (2, ZERO, None)
    assert grave.previous == kit.record(grave)[0].commitment
    ndjson(folder / "a.ndjson", PATIENT, condition(1), condition(2))
    assert kit.run(FhirFolder(folder, "hospital", full=True)).total("changed") == 1
    assert [e.version for e in kit.record(grave)] == [1, 2, 3]


def test_nothing_is_buried_while_lines_cannot_be_read(kit: Kit, folder: Path) -> None:
    ndjson(folder / "a.ndjson", PATIENT, condition(1), condition(2))
    kit.run(FhirFolder(folder, "hospital", full=True))
    ndjson(folder / "a.ndjson", PATIENT, condition(1), b'{"resourceType":"Condition","id":"c2"')
    report = kit.run(FhirFolder(folder, "hospital", full=True))
    assert (report.tombstones, report.tombstones_withheld) == (0, "1 records are missing, but 1 lines could not be read")


def test_a_record_in_quarantine_is_not_taken_for_vanished(kit: Kit, folder: Path) -> None:
    ndjson(folder / "a.ndjson", PATIENT, condition(1), condition(2))
    kit.run(FhirFolder(folder, "hospital", full=True))
    ndjson(folder / "a.ndjson", PATIENT, condition(1), condition(2, recordedDate="nonsense"))
    report = kit.run(FhirFolder(folder, "hospital", full=True))
    assert (report.tombstones, report.total("quarantined")) == (0, 1)
    assert kit.run(FhirFolder(folder, "hospital", full=True)).tombstones == 0


def test_an_empty_full_export_does_not_bury_a_hospital(kit: Kit, folder: Path) -> None:
    ndjson(folder / "a.ndjson", PATIENT, *(condition(i) for i in range(30)))
    kit.run(FhirFolder(folder, "hospital", full=True))
    ndjson(folder / "a.ndjson", PATIENT)
    report = kit.run(FhirFolder(folder, "hospital", full=True))
    assert report.tombstones == 0
    assert "too many to believe" in str(report.tombstones_withheld)
    assert kit.run(FhirFolder(folder, "hospital", full=True), largest_vanishing=1.0).tombstones == 30


def test_entered_in_error_takes_a_record_back(kit: Kit, folder: Path) -> None:
    wrong = {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}}
    ndjson(folder / "a.ndjson", PATIENT, condition(1), condition(2, **wrong))
    report = kit.run(FhirFolder(folder, "hospital"))
    assert report.ignored == {"Condition (retracted before it was imported)": 1}
    ndjson(folder / "a.ndjson", PATIENT, condition(1, **wrong))
    assert kit.run(FhirFolder(folder, "hospital")).types["Condition"] == {"retracted": 1}
    assert kit.run(FhirFolder(folder, "hospital")).total("retracted") == 0
    assert [e.flags for e in kit.of_type("diagnosis")] == [0, 1]


def test_one_source_does_not_bury_anothers_records(kit: Kit, folder: Path, tmp_path: Path) -> None:
    ndjson(folder / "a.ndjson", PATIENT, condition(1))
    kit.run(FhirFolder(folder, "hospital", full=True))
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "patients.csv").write_text(PATIENTS, "utf-8")
    assert kit.run(CsvFolder(tmp_path / "csv", "district", full=True)).tombstones == 0


def test_nothing_personal_is_in_the_database_or_the_store_in_the_clear(kit: Kit, folder: Path, tmp_path: Path) -> None:
    person = {**PATIENT, "id": "patient-4711", "name": [{"text": "欧阳测试"}]}
    ndjson(folder / "a.ndjson", person, condition(1, subject={"reference": "Patient/patient-4711"}), condition(2))
    kit.run(FhirFolder(folder, "hospital"))
    assert len(kit.quarantined()) == 1
    everything = b"".join(p.read_bytes() for p in (tmp_path / "home").rglob("*") if p.is_file())
    for secret in ("欧阳测试", "高血压", "patient-4711", "1960-01-01"):
        assert secret.encode() not in everything


_ROW = st.tuples(st.integers(0, 6), st.sampled_from(["2024-01-01", "2024-01-02", "bad", "2099-01-01"]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(st.lists(_ROW, max_size=10), min_size=1, max_size=4), seed=st.integers(0, 9), batch_rows=st.integers(1, 5))
def test_any_history_of_exports_leaves_what_the_last_good_rows_say(
    tmp_path_factory: pytest.TempPathFactory, days: list[list[tuple[int, str]]], seed: int, batch_rows: int
) -> None:
    home = tmp_path_factory.mktemp("history")
    kit, export = open_kit(home / "home"), home / "export"
    export.mkdir()
    held: dict[str, str] = {}
    for day in days:
        rows = [condition(i, recordedDate=d) for i, d in day]
        Random(seed).shuffle(rows)
        ndjson(export / "a.ndjson", *rows, PATIENT)
        kit.run(FhirFolder(export, "hospital"), batch_rows=batch_rows)
        seen: set[str] = set()
        for row in rows:
            name, recorded = str(row["id"]), str(row["recordedDate"])
            good = recorded in ("2024-01-01", "2024-01-02")
            if name not in seen and good:
                held[name] = recorded
            if good or name in held:
                seen.add(name)
        assert [e.sequence for e in kit.entries()] == list(range(kit.count(EntryRow)))
    newest = [kit.current(e.record) for e in kit.of_type("diagnosis") if e.version == 1]
    assert sorted(str(kit.values(e)["recorded"]) for e in newest if e) == sorted(held.values())
    for entry in (e for e in newest if e):
        chain = kit.record(entry)
        assert [e.previous for e in chain] == [ZERO, *(e.commitment for e in chain[:-1])]
