"""The generator: repeatable, visibly made up, and the same people in both sources."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import orjson

from offchain import generator
from offchain.generator import generate, population
from offchain.intake import systems
from offchain.intake.fhir import FhirFolder
from offchain.intake.tables import CsvFolder
from offchain.quality import resident_id_valid
from tests.offchain.intake_kit import open_kit

SEED = 7


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.*"))}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", SEED), ("b", SEED), ("c", SEED + 1)):
        generate(tmp_path / name, seed, 20)
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b") != _bytes(tmp_path / "c")


def test_nobody_can_be_real() -> None:
    people = list(population(SEED, 3000))
    assert len({p.id_number for p in people}) == 3000
    for p in people:
        assert resident_id_valid(p.id_number)
        assert p.id_number.startswith("99")
        assert p.id_number[6:14] == f"{p.born:%Y%m%d}"
        assert int(p.id_number[16]) % 2 == (p.sex == "M")
        assert p.phone.startswith("1000")
        assert len(p.phone) == 11


def test_id_numbers_of_a_million_people_born_on_one_day_would_differ() -> None:
    numbers = {generator.id_number(date(1960, 5, 4), i, male=True) for i in range(0, 1_000_000, 7)}
    assert len(numbers) == len(range(0, 1_000_000, 7))


def test_surnames_come_as_often_as_they_do() -> None:
    names = [p.name[0] for p in population(SEED, 4000)]
    assert 0.05 < names.count("王") / 4000 < 0.12
    assert names.count("王") > 5 * names.count("毛")


def test_both_sources_are_about_the_same_people_and_pass_every_rule(tmp_path: Path) -> None:
    made = generate(tmp_path, SEED, 40)
    lines = (made.fhir / "Patient.000.ndjson").read_bytes().splitlines()
    hospital = {i["value"] for r in map(orjson.loads, lines) for i in r["identifier"] if i["system"] == systems.RESIDENT_ID}
    everybody = {p.id_number for p in population(SEED, 40)}
    assert hospital < everybody
    assert len(hospital) > 20
    first = open_kit(tmp_path, "hospital").run(FhirFolder(made.fhir, "hospital"))
    second = open_kit(tmp_path, "district").run(CsvFolder(made.csv, "district"))
    assert (first.total("new"), second.total("new")) == (made.fhir_records, made.csv_records)
    assert not first.rules + second.rules


def test_a_later_day_changes_only_what_happened_since(tmp_path: Path) -> None:
    made = generate(tmp_path, SEED, 60)
    kit = open_kit(tmp_path, "district")
    kit.run(CsvFolder(made.csv, "district"))
    generate(tmp_path, SEED, 60, generator.LAST_DAY + timedelta(days=20))
    report = kit.run(CsvFolder(made.csv, "district"))
    assert report.total("new") > 0
    assert report.total("changed") > 0
    assert report.total("unchanged") > 10 * (report.total("new") + report.total("changed"))
    assert report.total("quarantined") == report.tombstones == 0
