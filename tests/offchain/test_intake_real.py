"""The two sources nobody here wrote: every line is accounted for, every record opens and leads to its commitment."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from core.record import RecordTree
from offchain import standards
from offchain.intake.csv_rows import Row, rows
from offchain.intake.fhir import FhirFolder
from offchain.intake.lines import lines
from offchain.intake.port import Source
from offchain.intake.tables import CsvFolder
from tests.offchain.intake_kit import Kit, open_kit

DATA = Path(os.environ.get("HEALTHTRUST_TEST_DATA", str(Path(__file__).parents[2] / ".." / "shared" / "data")))
HOSPITAL, DISTRICT = DATA / "hospital_fhir_ndjson", DATA / "district_platform_csv"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data at {DATA}; set HEALTHTRUST_TEST_DATA")


def _check_every_record(kit: Kit) -> None:
    with kit.custodian.sessions() as session:
        for entry in kit.entries():
            content = kit.records.content(session, entry)
            kind = standards.by_id(entry.schema)
            assert kind is not None
            assert RecordTree(entry.schema, kind.element_count, content.elements, content.salt).commitment == entry.commitment


def _import_twice(kit: Kit, source: Source, lines_there: int) -> Counter[str]:
    report = kit.run(source)
    assert report.lines == lines_there
    assert report.total("new") == len(kit.entries())
    again = kit.run(source)
    assert again.total("unchanged") == report.total("new")
    assert again.total("new") + again.total("changed") + again.tombstones == 0
    _check_every_record(kit)
    return Counter({k: c["new"] for k, c in report.types.items()}) + report.ignored


def test_the_hospitals_fhir_export(tmp_path: Path) -> None:
    kit = open_kit(tmp_path, "hospital")
    there = sum(1 for p in HOSPITAL.glob("*.ndjson") for _ in lines(p))
    counts = _import_twice(kit, FhirFolder(HOSPITAL, "hospital"), there)
    assert counts == {
        "Patient": 13, "Encounter": 1215, "Condition": 555, "Procedure": 2056, "MedicationRequest": 1745, "Immunization": 161,
        "AllergyIntolerance": 11, "DocumentReference": 1215, "Device": 16, "Organization (directory)": 43,
        "Location (directory)": 44, "Practitioner (directory)": 43, "PractitionerRole (directory)": 43, "log (export log)": 4,
    }  # fmt: skip
    assert kit.quarantined() == []
    assert len({e.subject for e in kit.entries()}) == 13
    note = kit.values(kit.of_type("clinical-note")[0])
    assert "# Chief Complaint" in str(note["text"])
    for code, elements in (("patient-summary", 17), ("encounter", 9), ("medication", 9), ("procedure", 6)):
        filled = max(len(kit.values(e)) for e in kit.of_type(code)[:50])
        assert filled >= elements, (code, filled)


def test_the_districts_csv_tables(tmp_path: Path) -> None:
    kit = open_kit(tmp_path, "district")
    there = sum(isinstance(r, Row) for p in DISTRICT.glob("*.csv") for r in rows(p)) - len(list(DISTRICT.glob("*.csv")))
    counts = _import_twice(kit, CsvFolder(DISTRICT, "district"), there)
    assert counts == {
        "patients": 27, "encounters": 604, "conditions": 438, "observations": 990, "medications": 663, "procedures": 249,
        "immunizations": 29, "allergies": 40, "imaging_studies": 1, "careplans": 49, "devices": 3,
        "organizations (directory)": 63, "providers (directory)": 166,
    }  # fmt: skip
    assert kit.quarantined() == []
    assert len({e.subject for e in kit.entries()}) == 27
    assert len(kit.of_type("laboratory-result")) == 251 - 18
    assert len(kit.of_type("vital-sign")) == 228
    survey = Counter(e.category for e in kit.of_type("social-history"))
    assert survey[12] >= 75, "depression, anxiety and violence questionnaires are mental health"


def test_both_into_one_registrar_are_forty_people(tmp_path: Path) -> None:
    hospital, district = open_kit(tmp_path, "hospital"), open_kit(tmp_path, "district")
    hospital.run(FhirFolder(HOSPITAL, "hospital"))
    district.run(CsvFolder(DISTRICT, "district"))
    subjects = {e.subject for k in (hospital, district) for e in k.entries()}
    assert len(subjects) == 40
    assert {r.subject for r in hospital.empi.directory()} == subjects
