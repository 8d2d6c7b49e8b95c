"""Reading bad files: everything that cannot be read is named with its line, and the rest goes on (issue §8)."""

from __future__ import annotations

import base64
import tracemalloc
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offchain.intake.csv_rows import Row, rows
from offchain.intake.fhir import FhirFolder
from offchain.intake.lines import lines
from offchain.intake.port import SourceFault, SourceRecord
from offchain.intake.tables import CsvFolder
from offchain.models import EntryRow
from offchain.quality import Rule
from tests.offchain.intake_kit import Kit, open_kit

PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"text": "张三"}], "birthDate": "1960-01-01"}


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return open_kit(tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "export"
    made.mkdir()
    return made


def condition(number: int, **more: object) -> dict[str, object]:
    """A condition of patient p1."""
    code = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}], "text": "高血压"}
    common = {"resourceType": "Condition", "id": f"c{number}", "subject": {"reference": "Patient/p1"}, "code": code}
    return {**common, "recordedDate": "2024-01-01", **more}


def ndjson(path: Path, *resources: object) -> None:
    """Write resources (bytes are written as they are), one a line."""
    path.write_bytes(b"".join((r if isinstance(r, bytes) else orjson.dumps(r)) + b"\n" for r in resources))


def test_a_malformed_line_in_the_middle(kit: Kit, folder: Path) -> None:
    bad = [b'{"resourceType":"Condition","id":', b"[1,2]", b"null", b'{"id":"x"}', b'{"resourceType":"Condition"}', b"\x00"]
    ndjson(folder / "all.ndjson", PATIENT, condition(1), *bad, condition(2))
    report = kit.run(FhirFolder(folder, "hospital"))
    assert report.total("new") == 3
    assert [(q.line, q.rule) for q in kit.quarantined()] == [
        (3, "Q01"), (4, "Q01"), (5, "Q01"), (6, "Q01"), (7, "Q07"), (8, "Q01"),
    ]  # fmt: skip
    row = kit.quarantined()[0]
    assert row.content is not None
    assert bad[0] not in row.content
    assert kit.custodian.envelope.open_row(row.digest, row.content) == bad[0]


def test_a_repaired_line_is_imported_and_leaves_quarantine(kit: Kit, folder: Path) -> None:
    ndjson(folder / "all.ndjson", PATIENT, condition(1, recordedDate="not a date"))
    kit.run(FhirFolder(folder, "hospital"))
    assert [(q.line, q.rule) for q in kit.quarantined()] == [(2, "Q11")]
    kit.run(FhirFolder(folder, "hospital"))
    assert len(kit.quarantined()) == 1
    ndjson(folder / "all.ndjson", PATIENT, condition(1))
    assert kit.run(FhirFolder(folder, "hospital")).total("new") == 1
    assert kit.quarantined() == []


def test_a_line_of_100_mb_is_refused_in_bounded_memory(kit: Kit, folder: Path) -> None:
    with (folder / "all.ndjson").open("wb") as file:
        file.write(orjson.dumps(PATIENT) + b"\n" + b'{"resourceType":"Condition","x":"')
        for _ in range(100):
            file.write(b"x" * 1024 * 1024)
        file.write(b'"}\n' + orjson.dumps(condition(2)) + b"\n")
    tracemalloc.start()
    report = kit.run(FhirFolder(folder, "hospital"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.total("new") == 2
    (row,) = kit.quarantined()
    assert (row.line, row.rule, row.content) == (2, "Q03", None)
    assert "104857" in row.detail
    assert peak < 80 * 1024 * 1024


def test_wrong_encoding_names_the_line_and_the_remedy(kit: Kit, folder: Path) -> None:
    foreign = orjson.dumps(condition(1)).decode().encode("gb18030")
    ndjson(folder / "all.ndjson", PATIENT, foreign, condition(2))
    report = kit.run(FhirFolder(folder, "hospital"))
    (row,) = kit.quarantined()
    assert (report.total("new"), row.line, row.rule) == (2, 2, "Q02")
    assert "gb18030" in row.detail
    (folder / "all.ndjson").write_bytes(b"\n".join(orjson.dumps(r).decode().encode("gb18030") for r in (PATIENT, condition(3))))
    again = kit.run(FhirFolder(folder, "other", encoding="gb18030"))
    assert again.total("new") == 2
    assert kit.values(kit.of_type("patient-summary")[1])["name"] == "张三"


@pytest.mark.parametrize("start", [b"\xff\xfe", b"\xfe\xff"])
def test_utf16_is_recognised(kit: Kit, folder: Path, start: bytes) -> None:
    (folder / "all.ndjson").write_bytes(start + b"{\x00}\x00\n\x00")
    kit.run(FhirFolder(folder, "hospital"))
    assert "UTF-16" in kit.quarantined()[0].detail


def test_a_byte_order_mark_and_crlf_are_no_trouble(kit: Kit, folder: Path) -> None:
    body = b"\r\n".join(map(orjson.dumps, (PATIENT, condition(1))))
    (folder / "all.ndjson").write_bytes(b"\xef\xbb\xbf" + body)
    report = kit.run(FhirFolder(folder, "hospital"))
    assert (report.total("new"), kit.quarantined()) == (2, [])


def test_order_does_not_matter_nor_does_which_file(kit: Kit, folder: Path) -> None:
    encounter = {
        "resourceType": "Encounter", "id": "e1", "subject": {"reference": "Patient/p1"}, "class": {"code": "AMB"},
        "period": {"start": "2024-01-01"},
    }  # fmt: skip
    ndjson(folder / "a.ndjson", condition(1, encounter={"reference": "Encounter/e1"}))
    ndjson(folder / "b.ndjson", encounter, PATIENT)
    report = kit.run(FhirFolder(folder, "hospital"))
    assert report.total("new") == 3
    (visit,) = kit.of_type("encounter")
    assert kit.values(kit.of_type("diagnosis")[0])["encounter"] == "0x" + visit.record.hex()


def test_unknown_types_are_counted_and_reported(kit: Kit, folder: Path) -> None:
    ndjson(folder / "a.ndjson", PATIENT, *({"resourceType": "Coverage", "id": str(i)} for i in range(3)))
    assert kit.run(FhirFolder(folder, "hospital")).ignored == {"Coverage (unknown type)": 3}


def test_a_record_whose_patient_comes_tomorrow_waits_in_quarantine(kit: Kit, folder: Path) -> None:
    ndjson(folder / "a.ndjson", condition(1), condition(2, subject={}))
    kit.run(FhirFolder(folder, "hospital"))
    assert [(q.line, q.rule) for q in kit.quarantined()] == [(1, "Q09"), (2, "Q08")]
    ndjson(folder / "b.ndjson", PATIENT)
    kit.run(FhirFolder(folder, "hospital"))
    assert [(q.line, q.rule) for q in kit.quarantined()] == [(2, "Q08")]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"code": {}}, "Q10"),
        ({"recordedDate": "2024-02-30"}, "Q11"),
        ({"recordedDate": "2099-01-01"}, "Q12"),
        ({"onsetDateTime": "2024-01-02", "abatementDateTime": "2024-01-01"}, "Q13"),
        ({"code": "text"}, "Q10"),
        ({"note": [{"text": 2**60}]}, "Q19"),
        ({"note": [{"text": {"a": [float(10**300)]}}], "recordedDate": 7}, "Q11"),
    ],
)
def test_quality_rules(kit: Kit, folder: Path, change: dict[str, object], rule: str) -> None:
    ndjson(folder / "a.ndjson", PATIENT, condition(1, **change))
    kit.run(FhirFolder(folder, "hospital"))
    assert [(q.line, q.rule) for q in kit.quarantined()] == [(2, rule)]


def test_a_wrong_check_digit_is_refused(kit: Kit, folder: Path) -> None:
    identifier = {"system": "urn:oid:2.16.156.10011.1.3", "value": "999999194302230002"}
    ndjson(folder / "a.ndjson", {**PATIENT, "identifier": [identifier]})
    kit.run(FhirFolder(folder, "hospital"))
    assert kit.quarantined()[0].rule == Rule.CHECK_DIGIT.number


def test_notes_are_decoded_and_a_broken_attachment_is_refused(kit: Kit, folder: Path) -> None:
    def note(number: int, data: str) -> dict[str, object]:
        return {
            "resourceType": "DocumentReference", "id": f"n{number}", "subject": {"reference": "Patient/p1"},
            "type": {"text": "病历"}, "date": "2024-01-01",
            "content": [{"attachment": {"contentType": "text/plain", "data": data}}],
        }  # fmt: skip

    good = base64.b64encode("主诉：头晕".encode()).decode()
    ndjson(folder / "a.ndjson", PATIENT, note(1, good), note(2, "!" + good), note(3, base64.b64encode(b"\xff").decode()))
    kit.run(FhirFolder(folder, "hospital"))
    assert kit.values(kit.of_type("clinical-note")[0])["text"] == "主诉：头晕"
    assert [(q.line, q.rule) for q in kit.quarantined()] == [(3, "Q18"), (4, "Q18")]


def test_resources_of_a_hostile_shape_are_quarantined_one_by_one(kit: Kit, folder: Path) -> None:
    shapes: list[object] = [None, 1, "x", [], {}, [[]], [{"a": 1}], {"coding": 1}, {"coding": [1]}, {"coding": [{"code": {}}]}]
    fields = ("code", "category", "encounter", "recorder", "note", "clinicalStatus", "onsetDateTime", "recordedDate")
    hostile = [condition(i * 100 + j, **{f: s}) for i, f in enumerate(fields) for j, s in enumerate(shapes)]
    ndjson(folder / "a.ndjson", PATIENT, *hostile, condition(9999))
    report = kit.run(FhirFolder(folder, "hospital"))
    assert report.total("new") + report.total("quarantined") == 2 + len(hostile)


CONDITIONS = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n"
PATIENTS = "Id,BIRTHDATE,FIRST,LAST,GENDER\np1,1960-01-01,三,张,M\n"


def test_csv_with_missing_columns_is_refused_with_what_is_missing(kit: Kit, folder: Path) -> None:
    (folder / "patients.csv").write_text(PATIENTS, "utf-8")
    (folder / "conditions.csv").write_text("PATIENT,DESCRIPTION\np1,x\np1,y\n", "utf-8")
    report = kit.run(CsvFolder(folder, "district"))
    (row,) = kit.quarantined()
    assert (row.file, row.line, row.rule) == ("conditions.csv", 1, "Q06")
    assert "ENCOUNTER, CODE, START, STOP" in row.detail
    assert report.types["conditions.csv"]["quarantined"] == 3
    assert report.total("new") == 1


def test_csv_rows_of_the_wrong_shape(kit: Kit, folder: Path) -> None:
    (folder / "patients.csv").write_text(PATIENTS, "utf-8")
    lines = [
        "2024-01-01,,p1,e1,I10,fine",
        "2024-01-01,,p1,e1,I11",
        '2024-01-01,,p1,e1,I12,"two\nlines, quoted ""words"""',
        '2024-01-01,,p1,e1,I13,"never closed',
        "2024-01-01,,p1,e1,I14,fine again",
        ",,,,,",
    ]
    (folder / "conditions.csv").write_text(CONDITIONS + "\n".join(lines) + "\n", "utf-8")
    report = kit.run(CsvFolder(folder, "district"))
    assert [(q.line, q.rule) for q in kit.quarantined()] == [(3, "Q05"), (6, "Q04"), (8, "Q07")]
    assert report.types["conditions"]["new"] == 3
    names = {kit.values(e)["name"] for e in kit.of_type("diagnosis")}
    assert names == {"fine", 'two\nlines, quoted "words"', "fine again"}


def test_one_unclosed_quote_does_not_swallow_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('"open\n' + "".join(f"{i},x\n" for i in range(1000)))
    found = list(rows(path))
    assert isinstance(found[0], SourceFault)
    assert [f.line for f in found[1:] if isinstance(f, Row)] == list(range(2, 1002))


def test_csv_numbers_are_numbers_or_refused(kit: Kit, folder: Path) -> None:
    (folder / "patients.csv").write_text(PATIENTS, "utf-8")
    header = "DATE,PATIENT,ENCOUNTER,CATEGORY,CODE,DESCRIPTION,VALUE,UNITS,TYPE\n"
    body = ["8302-2,身高,170,cm", "29463-7,体重,7000,kg", "2093-3,胆固醇,high,mg/dL", "2571-8,甘油三酯,nan,mg/dL"]
    rows_ = "".join(f"2024-01-01,p1,e,vital-signs,{b},numeric\n" for b in body)
    (folder / "observations.csv").write_text(header + rows_, "utf-8")
    kit.run(CsvFolder(folder, "district"))
    assert [(q.line, q.rule) for q in kit.quarantined()] == [(3, "Q14"), (4, "Q14"), (5, "Q14")]
    assert kit.values(kit.of_type("vital-sign")[0])["value"] == 170


def test_private_codes_move_to_their_own_category(kit: Kit, folder: Path) -> None:
    (folder / "patients.csv").write_text(PATIENTS, "utf-8")
    body = "2024-01-01,,p1,e1,73595000,Stress\n2024-01-01,,p1,e1,160903007,Full-time employment\n2024-01-01,,p1,e1,38341003,HT\n"
    (folder / "conditions.csv").write_text(CONDITIONS + body, "utf-8")
    kit.run(CsvFolder(folder, "district"))
    assert sorted(e.category for e in kit.of_type("diagnosis")) == [2, 12, 15]


def test_nothing_to_read_is_said_at_once(folder: Path) -> None:
    for source in (FhirFolder, CsvFolder):
        with pytest.raises(FileNotFoundError, match="no \\*"):
            source(folder, "x")
    (folder / "export.json").write_text('{"full": "yes"}')
    with pytest.raises(ValueError, match="full"):
        FhirFolder(folder, "x")


@given(st.lists(st.binary(max_size=40).filter(lambda b: b"\n" not in b and not b.endswith(b"\r")), max_size=20), st.booleans())
def test_lines_are_those_written(tmp_path_factory: pytest.TempPathFactory, written: list[bytes], ended: bool) -> None:
    path = tmp_path_factory.mktemp("lines") / "f"
    path.write_bytes(b"\n".join(written) + (b"\n" if ended else b""))
    expected = path.read_bytes().removesuffix(b"\n").split(b"\n") if path.stat().st_size else []
    found = list(lines(path, longest=30))
    assert [f.number for f in found] == list(range(1, len(expected) + 1))
    for line, raw in zip(found, expected, strict=True):
        clean = raw.removeprefix(b"\xef\xbb\xbf") if line.number == 1 else raw
        assert line.data == (None if len(raw) > 30 else clean)


def test_reading_never_raises_for_content(folder: Path) -> None:
    (folder / "a.ndjson").write_bytes(bytes(range(256)) * 50)
    found = list(FhirFolder(folder, "x").read())
    assert found
    assert all(isinstance(f, SourceFault | SourceRecord) for f in found)


def test_an_empty_run_writes_no_entry(kit: Kit, folder: Path) -> None:
    (folder / "a.ndjson").write_bytes(b"\n\n")
    assert kit.run(FhirFolder(folder, "x")).lines == 0
    assert kit.count(EntryRow) == 0
