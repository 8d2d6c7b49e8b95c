"""Seeded residents of a Chinese city district, with what two sources would hold about them: for demos, tests and load.

The same people appear in a municipal hospital's FHIR NDJSON export and in the district platform's CSV tables, so that only the
resident ID number brings their records together. Everything is visibly made up and cannot be anybody: ID numbers have right check
digits but regions from 999999 down, which GB/T 2260 does not assign; telephones start with 1000, streets are 测试路. One seed
and day give the same bytes; a later day gives the same people with what happened since (for T+1 runs).
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import orjson

from offchain.intake import manifest, systems
from offchain.quality import resident_id_check

FHIR_FOLDER = "hospital_fhir_ndjson"
CSV_FOLDER = "district_platform_csv"
REGION = "999999"
LAST_DAY = date(2025, 12, 31)
YEARS = 5
_ZONE = timezone(timedelta(hours=8))
_HOSPITAL_SHARE = 0.75
_MRN = "urn:oid:2.16.156.10011.1.11"
_CN = "urn:healthtrust:extension:"
_ICD9 = "urn:oid:2.16.156.10011.2.3.3.12"


@dataclass(frozen=True)
class Resident:
    """A made-up person. ``sex``: M or F; ``index``: place in the population, which with the seed determines everything."""

    index: int
    name: str
    sex: str
    born: date
    id_number: str
    phone: str
    address: str
    ethnic: str
    in_hospital: bool
    conditions: tuple[int, ...]


@dataclass(frozen=True)
class Visit:
    """One visit to the hospital or to the community health centre. ``condition``: index into the catalogue."""

    id: str
    number: int
    at: datetime
    hospital: bool
    organisation: str
    doctor: str
    condition: int


@dataclass(frozen=True)
class Generated:
    """Where the two sources were written, and how many records each has."""

    fhir: Path
    csv: Path
    fhir_records: int
    csv_records: int


def generate(folder: Path, seed: int, residents: int, until: date = LAST_DAY) -> Generated:
    """Write both sources for so many residents, with everything that happened up to ``until``.

    About 60 records a resident. Folders are made; files of the same names are overwritten.
    """
    fhir, tables = _FhirWriter(folder / FHIR_FOLDER), _CsvWriter(folder / CSV_FOLDER)
    for person in population(seed, residents):
        rng = _random(f"{seed}/{person.index}/records")
        fhir.person(person)
        tables.person(person)
        for visit in _visits(person, rng):
            events = list(_events(person, visit, rng))
            if visit.at.date() <= until:
                (fhir if visit.hospital else tables).visit(person, visit, events, until)
    return Generated(folder / FHIR_FOLDER, folder / CSV_FOLDER, fhir.close(), tables.close())


def population(seed: int, count: int) -> Iterator[Resident]:
    """The first ``count`` residents of a seed."""
    for index in range(count):
        yield _resident(_random(f"{seed}/{index}"), index)


def _random(seed: str) -> Random:
    return Random(seed)  # noqa: S311 — repeatable on purpose; nothing here is secret


@cache
def _catalogue() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Path(__file__).with_name("generator.json").read_text("utf-8"))
    return document


@cache
def _surnames() -> tuple[list[str], list[float]]:
    names: list[str] = []
    weights: list[float] = []
    text = ""
    for part in _catalogue()["surnames"]:
        if not part.isdigit() and part != "." and text[-1:].isdigit():
            _split(text, names, weights)
            text = ""
        text += part
    _split(text, names, weights)
    return names, weights


def _split(text: str, names: list[str], weights: list[float]) -> None:
    name = text.rstrip("0123456789.")
    names.append(name)
    weights.append(float(text[len(name) :]))


def _resident(rng: Random, index: int) -> Resident:
    sex = rng.choice("MF")
    # More people in middle and old age than young ones, as those who see doctors are.
    age = min(98, max(0, int(rng.triangular(0, 95, 60))))
    born = date(LAST_DAY.year - age, 1, 1) + timedelta(days=rng.randrange(365))
    decade = next(d for d in ("2010", "1990", "1970", "1950") if born.year >= int(d) or d == "1950")
    names, weights = _surnames()
    name = rng.choices(names, weights)[0] + rng.choice(_catalogue()["given"][sex][decade])
    ethnic, shares = zip(*_catalogue()["ethnic"], strict=True)
    road = rng.choice(_catalogue()["roads"])
    conditions = tuple(i for i, c in enumerate(_catalogue()["conditions"]) if age >= c["from"] and rng.random() < c["rate"])
    return Resident(
        index,
        name,
        sex,
        born,
        id_number(born, index, male=sex == "M"),
        f"1000{index % 10_000_000:07d}",
        f"静安区{road}{rng.randrange(1, 999)}弄{rng.randrange(1, 60)}号{rng.randrange(101, 1802)}室",
        rng.choices(ethnic, shares)[0],
        rng.random() < _HOSPITAL_SHARE,
        conditions or (12,),
    )


def id_number(born: date, index: int, *, male: bool) -> str:
    """A resident ID number that cannot be anybody's: region 99xxxx, sex parity, right check digit (GB 11643-1999).

    A region has 500 numbers a sex and day; ``index`` spreads people over them and then over regions: unique for 5,000,000.
    """
    serial = (index % 500) * 2 + (1 if male else 0)
    region = int(REGION) - (index // 500) % 10_000
    first17 = f"{region:06d}{born:%Y%m%d}{serial:03d}"
    return first17 + resident_id_check(first17)


def _visits(person: Resident, rng: Random) -> Iterator[Visit]:
    catalogue = _catalogue()
    count = 2 + len(person.conditions) + rng.randrange(5)
    first = max(
        datetime(LAST_DAY.year - YEARS + 1, 1, 1, 8, tzinfo=_ZONE), datetime(*person.born.timetuple()[:3], 8, tzinfo=_ZONE)
    )
    # A year beyond the last day, so that later days have something new.
    days = max(30, (LAST_DAY - first.date()).days + 365)
    for number, day in enumerate(sorted(rng.randrange(days) for _ in range(count))):
        hospital = person.in_hospital and rng.random() < 0.55
        at = first + timedelta(days=day, minutes=rng.randrange(0, 540, 5))
        places = catalogue["organisations"]["hospital" if hospital else "district"]
        surnames, weights = _surnames()
        doctor = rng.choices(surnames, weights)[0] + rng.choice(("医生甲", "医生乙", "医生丙"))
        yield Visit(_uuid(rng), number, at, hospital, rng.choice(places), doctor, rng.choice(person.conditions))


def _events(person: Resident, visit: Visit, rng: Random) -> Iterator[dict[str, Any]]:
    """What happened at a visit, source-neutral: ``kind`` and the fields that both writers need."""
    condition = _catalogue()["conditions"][visit.condition]
    yield {
        "kind": "condition",
        "id": _uuid(rng),
        "code": condition["code"],
        "name": condition["name"],
        "chronic": condition["chronic"],
    }
    yield from _vitals(person, visit, rng)
    for lab in condition["labs"]:
        yield _lab(lab, visit, rng)
    for medication in condition["meds"]:
        yield {"kind": "medication", "id": _uuid(rng), "item": _catalogue()["medications"][medication], "key": medication}
    yield from _occasional(visit, rng)
    complaint = condition["complaint"].format(n=rng.randrange(1, 8))
    yield {"kind": "note", "id": _uuid(rng), "complaint": complaint, "condition": condition}


def _vitals(person: Resident, visit: Visit, rng: Random) -> Iterator[dict[str, Any]]:
    high = any(_catalogue()["conditions"][c]["code"].startswith("I10") for c in person.conditions)
    systolic = rng.gauss(148 if high else 124, 8) - visit.number * (1.5 if high else 0)
    for code, name, unit, value in (
        ("8480-6", "收缩压", "mm[Hg]", round(systolic)),
        ("8462-4", "舒张压", "mm[Hg]", round(systolic * 0.62)),
        ("8867-4", "心率", "/min", round(rng.gauss(76, 7))),
    ):
        yield {
            "kind": "vital",
            "id": _uuid(rng),
            "code": code,
            "name": name,
            "unit": unit,
            "value": value,
            "low": None,
            "high": None,
        }


def _lab(key: str, visit: Visit, rng: Random) -> dict[str, Any]:
    code, name, unit, low, high, mean, spread = _catalogue()["labs"][key]
    # Treatment brings values towards the range, visit by visit: trends a doctor can see.
    middle = (low + high) / 2
    value = max(0.1, mean + (middle - mean) * min(visit.number, 6) * 0.08 + rng.gauss(0, spread * 0.5))
    digits = 0 if mean >= 40 else 1
    value = round(value, digits) if digits else float(round(value))
    return {"kind": "lab", "id": _uuid(rng), "code": code, "name": name, "unit": unit, "value": value, "low": low, "high": high}


def _occasional(visit: Visit, rng: Random) -> Iterator[dict[str, Any]]:
    """Things that belong to some visits only."""
    catalogue = _catalogue()
    if visit.number == 0 and rng.random() < 0.2:
        code, name, category = rng.choice(catalogue["allergies"])
        yield {"kind": "allergy", "id": _uuid(rng), "code": code, "name": name, "category": category}
    if rng.random() < 0.12:
        code, name = rng.choice(catalogue["vaccines"])
        yield {"kind": "immunization", "id": _uuid(rng), "code": code, "name": name}
    if rng.random() < 0.2:
        code, name = rng.choice(catalogue["procedures"])
        yield {"kind": "procedure", "id": _uuid(rng), "code": code, "name": name}
    if rng.random() < 0.06:
        yield {"kind": "imaging", "id": _uuid(rng), "uid": f"1.2.156.999999.{rng.randrange(10**12)}"}
    if rng.random() < 0.08:
        yield {
            "kind": "survey",
            "id": _uuid(rng),
            "code": "72166-2",
            "name": "吸烟状况",
            "text": rng.choice(("从不吸烟", "已戒烟", "吸烟")),
        }


def _uuid(rng: Random) -> str:
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def note_text(person: Resident, visit: Visit, event: dict[str, Any], others: list[dict[str, Any]]) -> str:
    """An outpatient note as a doctor writes it (WS/T 500.2: 主诉, 现病史, 查体, 辅助检查, 诊断, 处理)."""
    vitals = "，".join(f"{e['name']} {e['value']}{e['unit']}" for e in others if e["kind"] == "vital")
    labs = "；".join(f"{e['name']} {e['value']} {e['unit']}" for e in others if e["kind"] == "lab") or "未查"
    medications = "\n".join(
        f"{e['item'][0]} {e['item'][1]}{e['item'][2]} {e['item'][3]}" for e in others if e["kind"] == "medication"
    )
    age = (visit.at.date() - person.born).days // 365
    sex = "男" if person.sex == "M" else "女"
    return (
        f"门诊病历\n就诊时间：{visit.at:%Y-%m-%d %H:%M}\n科室：{event['condition']['dept']}\n\n"
        f"主诉：{event['complaint']}。\n现病史：患者{sex}，{age}岁，{event['complaint']}，来院就诊。\n"
        f"查体：{vitals}，神志清，精神可。\n辅助检查：{labs}。\n"
        f"诊断：{event['condition']['name']}。\n处理：\n{medications or '观察随访'}\n"
        f"医师：{visit.doctor}\n"
    )


class _FhirWriter:
    """The municipal hospital's bulk export."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        manifest.write(folder, full=True)
        self._folder = folder
        self._files: dict[str, io.BufferedWriter] = {}
        self._count = 0
        self._patient = ""

    def person(self, person: Resident) -> None:
        """Patient, if the hospital knows the person."""
        self._patient = f"h{person.index:07d}"
        if person.in_hospital:
            self._write({"resourceType": "Patient", "id": self._patient, **_fhir_patient(person, self._patient)})

    def visit(self, person: Resident, visit: Visit, events: list[dict[str, Any]], until: date) -> None:
        """Encounter and everything in it."""
        condition = _catalogue()["conditions"][visit.condition]
        note = events[-1]
        links = {"subject": {"reference": f"Patient/{self._patient}"}, "encounter": {"reference": f"Encounter/{visit.id}"}}
        at = visit.at.isoformat()
        self._write(
            {
                "resourceType": "Encounter",
                "id": visit.id,
                "status": "finished",
                "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB", "display": "门诊"},
                "type": [{"text": "门诊就诊"}],
                "serviceType": {"text": condition["dept"]},
                "subject": links["subject"],
                "participant": [{"individual": {"display": visit.doctor}}],
                "period": {"start": at, "end": (visit.at + timedelta(minutes=20)).isoformat()},
                "reasonCode": [_concept(systems.ICD10, condition["code"], condition["name"]) | {"text": note["complaint"]}],
                "serviceProvider": {"display": visit.organisation},
            }
        )
        context = _Context(person, visit, events, links, at, until)
        for event in events:
            self._write({"id": event["id"], **_fhir_event(event, context)})

    def close(self) -> int:
        """Finish the files; how many records they have."""
        for file in self._files.values():
            file.close()
        return self._count

    def _write(self, resource: dict[str, Any]) -> None:
        kind = resource["resourceType"]
        if kind not in self._files:
            self._files[kind] = (self._folder / f"{kind}.000.ndjson").open("wb")
        self._files[kind].write(orjson.dumps(resource) + b"\n")
        self._count += 1


def _concept(system: str, code: str, name: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": name}], "text": name}


def _fhir_patient(person: Resident, patient: str) -> dict[str, Any]:
    return {
        "identifier": [
            {"system": systems.RESIDENT_ID, "value": person.id_number},
            {"type": {"coding": [{"code": "MR"}]}, "system": _MRN, "value": f"MR{person.index:08d}"},
        ],
        "name": [{"use": "official", "text": person.name}],
        "gender": "male" if person.sex == "M" else "female",
        "birthDate": person.born.isoformat(),
        "telecom": [{"system": "phone", "value": person.phone}],
        "address": [{"text": f"上海市{person.address}"}],
        "extension": [{"url": _CN + "ethnic-group", "valueString": person.ethnic}],
        "managingOrganization": {"display": _catalogue()["organisations"]["hospital"][0]},
    }


@dataclass(frozen=True)
class _Context:
    """What every resource of a visit refers to."""

    person: Resident
    visit: Visit
    events: list[dict[str, Any]]
    links: dict[str, Any]
    at: str
    until: date


def _fhir_event(e: dict[str, Any], c: _Context) -> dict[str, Any]:
    made: dict[str, Any] = _FHIR_EVENTS[e["kind"]](e, c)
    return made


def _fhir_condition(e: dict[str, Any], c: _Context) -> dict[str, Any]:
    over = c.visit.at + timedelta(days=14)
    ended = not e["chronic"] and over.date() <= c.until
    return {
        "resourceType": "Condition",
        "clinicalStatus": {"coding": [{"code": "resolved" if ended else "active"}]},
        "verificationStatus": {"coding": [{"code": "confirmed"}]},
        "code": _concept(systems.ICD10, e["code"], e["name"]),
        "onsetDateTime": c.at,
        "recordedDate": c.at,
        "recorder": {"display": c.visit.doctor},
        **({"abatementDateTime": over.isoformat()} if ended else {}),
        **c.links,
    }


def _fhir_medication(e: dict[str, Any], c: _Context) -> dict[str, Any]:
    name, dose, unit, instruction, days = e["item"]
    end = c.visit.at + timedelta(days=days)
    return {
        "resourceType": "MedicationRequest",
        "status": "completed" if end.date() <= c.until else "active",
        "intent": "order",
        "medicationCodeableConcept": _concept("urn:healthtrust:medication", e["key"], name),
        "authoredOn": c.at,
        "requester": {"display": c.visit.doctor},
        "dosageInstruction": [{"text": instruction, "doseAndRate": [{"doseQuantity": {"value": dose, "unit": unit}}]}],
        "dispenseRequest": {"validityPeriod": {"start": c.at, "end": end.isoformat()}},
        **c.links,
    }


def _fhir_note(e: dict[str, Any], c: _Context) -> dict[str, Any]:
    data = base64.b64encode(note_text(c.person, c.visit, e, c.events).encode()).decode()
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": _concept(systems.LOINC, "34108-1", "门诊病历"),
        "category": [{"coding": [{"code": "clinical-note", "display": "病历文书"}]}],
        "subject": c.links["subject"],
        "date": c.at,
        "author": [{"display": c.visit.doctor}],
        "custodian": {"display": c.visit.organisation},
        "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": data}}],
        "context": {"encounter": [c.links["encounter"]], "period": {"start": c.at}},
    }


def _fhir_observation(e: dict[str, Any], c: _Context) -> dict[str, Any]:
    category = {"lab": "laboratory", "vital": "vital-signs", "survey": "social-history"}[e["kind"]]
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": category}]}],
        "code": _concept(systems.LOINC, e["code"], e["name"]),
        "effectiveDateTime": c.at,
        "performer": [{"display": c.visit.organisation}],
        **c.links,
    }
    if e["kind"] == "survey":
        return {**resource, "valueString": e["text"]}
    resource["valueQuantity"] = {"value": e["value"], "unit": e["unit"], "system": systems.UCUM, "code": e["unit"]}
    if e["high"] is not None:
        resource["referenceRange"] = [{"low": {"value": e["low"]}, "high": {"value": e["high"]}}]
        flag = "H" if e["value"] > e["high"] else "L" if e["value"] < e["low"] else "N"
        resource["interpretation"] = [{"coding": [{"code": flag, "display": {"H": "偏高", "L": "偏低", "N": "正常"}[flag]}]}]
    return resource


def _fhir_allergy(e: dict[str, Any], c: _Context) -> dict[str, Any]:
    return {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "type": "allergy",
        "category": [e["category"]],
        "criticality": "high",
        "code": _concept(systems.SNOMED, e["code"], e["name"]),
        "recordedDate": c.at,
        "patient": c.links["subject"],
        "encounter": c.links["encounter"],
    }


def _fhir_immunization(e: dict[str, Any], c: _Context) -> dict[str, Any]:
    return {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": _concept(systems.CVX, e["code"], e["name"]),
        "occurrenceDateTime": c.at,
        "location": {"display": c.visit.organisation},
        "patient": c.links["subject"],
        "encounter": c.links["encounter"],
    }


def _fhir_procedure(e: dict[str, Any], c: _Context) -> dict[str, Any]:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": _concept(_ICD9, e["code"], e["name"]),
        "performedDateTime": c.at,
        "location": {"display": c.visit.organisation},
        **c.links,
    }


def _fhir_imaging(e: dict[str, Any], c: _Context) -> dict[str, Any]:
    chest = {"code": "51185008", "display": "胸部"}
    return {
        "resourceType": "ImagingStudy",
        "status": "available",
        "started": c.at,
        "description": "两肺未见明显活动性病变（测试报告）",
        "series": [{"uid": e["uid"], "modality": {"system": systems.DICOM, "code": "CT"}, "bodySite": chest}],
        **c.links,
    }


_FHIR_EVENTS: dict[str, Callable[[dict[str, Any], _Context], dict[str, Any]]] = {
    "condition": _fhir_condition,
    "lab": _fhir_observation,
    "vital": _fhir_observation,
    "survey": _fhir_observation,
    "medication": _fhir_medication,
    "note": _fhir_note,
    "allergy": _fhir_allergy,
    "immunization": _fhir_immunization,
    "procedure": _fhir_procedure,
    "imaging": _fhir_imaging,
}
_COLUMNS = {
    "patients": "Id IDCARD NAME BIRTHDATE FIRST LAST GENDER ETHNICITY PHONE ADDRESS CITY",
    "encounters": "Id START STOP PATIENT ORGANIZATION PROVIDER ENCOUNTERCLASS SYSTEM CODE DESCRIPTION DEPARTMENT COMPLAINT"
    " REASONCODE REASONDESCRIPTION",
    "conditions": "START STOP PATIENT ENCOUNTER SYSTEM CODE DESCRIPTION",
    "observations": "DATE PATIENT ENCOUNTER CATEGORY CODE DESCRIPTION VALUE UNITS TYPE LOW HIGH",
    "medications": "START STOP PATIENT ENCOUNTER SYSTEM CODE DESCRIPTION INSTRUCTION",
    "procedures": "START STOP PATIENT ENCOUNTER SYSTEM CODE DESCRIPTION",
    "immunizations": "DATE PATIENT ENCOUNTER CODE DESCRIPTION",
    "allergies": "START STOP PATIENT ENCOUNTER CODE SYSTEM DESCRIPTION TYPE CATEGORY",
    "imaging_studies": "Id DATE PATIENT ENCOUNTER SERIES_UID INSTANCE_UID MODALITY_CODE MODALITY_DESCRIPTION BODYSITE_CODE"
    " BODYSITE_DESCRIPTION",
}


class _CsvWriter:
    """The district platform's backup tables."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        manifest.write(folder, full=True)
        self._files = {t: (folder / f"{t}.csv").open("w", encoding="utf-8", newline="") for t in _COLUMNS}
        self._writers = {t: csv.writer(f, lineterminator="\n") for t, f in self._files.items()}
        for table, columns in _COLUMNS.items():
            self._writers[table].writerow(columns.split())
        self._count = 0
        self._patient = ""

    def person(self, person: Resident) -> None:
        """The platform knows everybody."""
        self._patient = f"d{person.index:07d}"
        p = person
        row = (self._patient, p.id_number, p.name, p.born, p.name[1:], p.name[:1], p.sex, p.ethnic, p.phone, p.address, "上海市")
        self._row("patients", row)

    def visit(self, person: Resident, visit: Visit, events: list[dict[str, Any]], until: date) -> None:
        """Encounter and everything in it; free-text notes stay at the centre, only the complaint is reported."""
        condition = _catalogue()["conditions"][visit.condition]
        at, end = visit.at.isoformat(), (visit.at + timedelta(minutes=15)).isoformat()
        key = (self._patient, visit.id)
        head = (
            visit.id,
            at,
            end,
            self._patient,
            visit.organisation,
            visit.doctor,
            "ambulatory",
            "urn:healthtrust:visit",
            "01",
            "社区门诊",
        )
        self._row("encounters", (*head, condition["dept"], events[-1]["complaint"], condition["code"], condition["name"]))
        for e in events:
            self._event(visit, e, key, at, until)

    def close(self) -> int:
        """Finish the files; how many records they have."""
        for file in self._files.values():
            file.close()
        return self._count

    def _event(self, visit: Visit, e: dict[str, Any], key: tuple[str, str], at: str, until: date) -> None:
        kind = e["kind"]
        if kind == "condition":
            over = visit.at + timedelta(days=14)
            stop = over.isoformat() if not e["chronic"] and over.date() <= until else ""
            self._row("conditions", (at, stop, *key, systems.ICD10, e["code"], e["name"]))
        elif kind in ("lab", "vital"):
            category = "laboratory" if kind == "lab" else "vital-signs"
            limits = ("", "") if e["high"] is None else (e["low"], e["high"])
            self._row("observations", (at, *key, category, e["code"], e["name"], e["value"], e["unit"], "numeric", *limits))
        elif kind == "survey":
            self._row("observations", (at, *key, "survey", e["code"], e["name"], e["text"], "", "text", "", ""))
        elif kind == "medication":
            name, dose, unit, instruction, days = e["item"]
            over = visit.at + timedelta(days=days)
            stop = over.isoformat() if over.date() <= until else ""
            text = f"每次{dose}{unit}，{instruction}"
            self._row("medications", (at, stop, *key, "urn:healthtrust:medication", e["key"], name, text))
        elif kind != "note":
            self._occasional(e, key, at)

    def _occasional(self, e: dict[str, Any], key: tuple[str, str], at: str) -> None:
        if e["kind"] == "allergy":
            self._row("allergies", (at, "", *key, e["code"], systems.SNOMED, e["name"], "allergy", e["category"]))
        elif e["kind"] == "immunization":
            self._row("immunizations", (at, *key, e["code"], e["name"]))
        elif e["kind"] == "procedure":
            self._row("procedures", (at, at, *key, _ICD9, e["code"], e["name"]))
        else:
            self._row(
                "imaging_studies", (e["id"], at, *key, e["uid"], e["uid"] + ".1", "CT", "计算机断层扫描", "51185008", "胸部")
            )

    def _row(self, table: str, row: tuple[object, ...]) -> None:
        self._writers[table].writerow(row)
        self._count += 1
