"""Rows of the relational set to the standard model: one function a table, element names as in offchain/standards/documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from offchain.intake import systems
from offchain.intake.port import Draft, Identity, Link, Person
from offchain.quality import Rule, resident_id_valid

_OBSERVATION_TYPES = {"laboratory": "laboratory-result", "vital-signs": "vital-sign"}
_ALLERGY_SYSTEMS = {"SNOMED-CT": systems.SNOMED, "RxNorm": systems.RXNORM}
_IDENTITY_COLUMNS = (
    ("IDCARD", systems.RESIDENT_ID, "national-id"),
    ("SSN", systems.SSN, "national-id"),
    ("PASSPORT", systems.PASSPORT, "passport"),
    ("DRIVERS", systems.DRIVER, "driving-licence"),
)


@dataclass(frozen=True, slots=True)
class Fields:
    """A row by column name, with the names of organisations and providers at hand. Empty text counts as missing."""

    row: Mapping[str, str]
    organisations: Mapping[str, str]
    providers: Mapping[str, str]

    def get(self, column: str) -> str | None:
        """The field, or None when it is empty or the table has no such column."""
        return self.row.get(column) or None

    def number(self, column: str) -> float | str | None:
        """The field as a number; as it is when it is none, so that the quality rules can say so."""
        value = self.get(column)
        return _number(value) if value is not None else None

    def coded(self, column: str, words: str, system: str) -> dict[str, str] | None:
        """A code with its system and words."""
        value = self.get(column)
        if value is None:
            return None
        return {"code": value, "system": self.get("SYSTEM") or system, **({"display": w} if (w := self.get(words)) else {})}

    def patient(self) -> Identity | None:
        """The source's own id of the patient (system "")."""
        value = self.get("PATIENT")
        return ("", value) if value else None

    def encounter(self) -> Link | None:
        """The encounter's row."""
        value = self.get("ENCOUNTER")
        return Link("encounters", value) if value else None


@dataclass(frozen=True, slots=True)
class Table:
    """A table: columns it must have, columns that identify a row (``key_needed`` of them not empty), and its mapping."""

    map: Callable[[Fields], Draft]
    key: tuple[str, ...]
    columns: tuple[str, ...]
    key_needed: int = 1

    @property
    def required(self) -> tuple[str, ...]:
        """All columns it cannot do without."""
        return tuple(dict.fromkeys((*self.key, *self.columns)))

    @property
    def named(self) -> bool:
        """Whether the source itself gives the rows an id."""
        return self.key[0] == "Id"


def patient(f: Fields) -> Draft:
    """patients → patient-summary."""
    identities = tuple((system, value) for column, system, _ in _IDENTITY_COLUMNS if (value := f.get(column)))
    own = f.get("Id") or ""
    name = _name(f)
    address = [f.get(c) for c in ("ADDRESS", "CITY", "COUNTY", "STATE", "ZIP")]
    values = {
        "name": name,
        "gender": {"M": "male", "F": "female"}.get(f.get("GENDER") or "", f.get("GENDER")),
        "birth-date": f.get("BIRTHDATE"),
        "deceased": f.get("DEATHDATE"),
        "phone": f.get("PHONE"),
        "address": ", ".join(a for a in address if a) or None,
        "marital-status": _plain(f.get("MARITAL")),
        "ethnic-group": _plain(f.get("ETHNICITY")),
        "race": _plain(f.get("RACE")),
        "birth-place": f.get("BIRTHPLACE"),
        "former-name": f.get("MAIDEN"),
        "prefix": f.get("PREFIX"),
        "expenses": f.number("HEALTHCARE_EXPENSES"),
        "coverage": f.number("HEALTHCARE_COVERAGE"),
    }
    for column, _, element in _IDENTITY_COLUMNS:
        if f.get(column):
            values.setdefault(element, f.get(column))
    number = f.get("IDCARD") or f.get("SSN")
    person = Person((*identities, ("", own)), name or "", f.get("BIRTHDATE") or "", number)
    draft = Draft("patient-summary", None, values, None, person)
    if (card := f.get("IDCARD")) and not resident_id_valid(card):
        draft.findings.append((Rule.CHECK_DIGIT, "national-id"))
    return draft


def encounter(f: Fields) -> Draft:
    """encounters → encounter."""
    values = {
        "class": _plain(f.get("ENCOUNTERCLASS")),
        "type": f.coded("CODE", "DESCRIPTION", systems.SNOMED),
        "start": f.get("START"),
        "end": f.get("STOP"),
        "organisation": f.organisations.get(f.get("ORGANIZATION") or "", f.get("ORGANIZATION")),
        "department": f.get("DEPARTMENT"),
        "practitioner": f.providers.get(f.get("PROVIDER") or "", f.get("PROVIDER")),
        "reason": f.coded("REASONCODE", "REASONDESCRIPTION", systems.SNOMED),
        "chief-complaint": f.get("COMPLAINT"),
        "base-cost": f.number("BASE_ENCOUNTER_COST"),
        "total-cost": f.number("TOTAL_CLAIM_COST"),
        "coverage": f.number("PAYER_COVERAGE"),
    }
    return Draft("encounter", f.patient(), values, f.get("START"), codes=_codes(values["reason"]))


def condition(f: Fields) -> Draft:
    """conditions → diagnosis."""
    values = {
        "code": f.coded("CODE", "DESCRIPTION", systems.SNOMED),
        "name": f.get("DESCRIPTION"),
        "clinical-status": _plain("resolved" if f.get("STOP") else "active"),
        "onset": f.get("START"),
        "abatement": f.get("STOP"),
        "encounter": f.encounter(),
    }
    return Draft("diagnosis", f.patient(), values, f.get("START"), codes=_codes(values["code"]))


def observation(f: Fields) -> Draft:
    """observations → laboratory-result, vital-sign or social-history, after its category and code."""
    numeric = f.get("TYPE") == "numeric"
    document = _OBSERVATION_TYPES.get(f.get("CATEGORY") or "", "social-history")
    # Questionnaire items come in the laboratory category ("What address do you live at?"); the code tells.
    if f.get("CODE") in _SURVEY_ITEMS:
        document = "social-history"
    values = {
        "code": f.coded("CODE", "DESCRIPTION", systems.LOINC),
        "name": f.get("DESCRIPTION"),
        "value": f.number("VALUE") if numeric else None,
        "unit": f.get("UNITS") if f.get("UNITS") != "null" else None,
        "text": None if numeric else f.get("VALUE"),
        "time": f.get("DATE"),
        "encounter": f.encounter(),
        "category": f.get("CATEGORY"),
    }
    if document != "social-history":
        values["low"], values["high"] = f.number("LOW"), f.number("HIGH")
    return Draft(document, f.patient(), values, f.get("DATE"), codes=_codes(values["code"]))


def medication(f: Fields) -> Draft:
    """medications → medication."""
    values = {
        "code": f.coded("CODE", "DESCRIPTION", systems.RXNORM),
        "name": f.get("DESCRIPTION"),
        "status": "stopped" if f.get("STOP") else "active",
        "start": f.get("START"),
        "end": f.get("STOP"),
        "instruction": f.get("INSTRUCTION"),
        "reason": f.coded("REASONCODE", "REASONDESCRIPTION", systems.SNOMED),
        "encounter": f.encounter(),
        "dispenses": f.number("DISPENSES"),
        "unit-cost": f.number("BASE_COST"),
        "total-cost": f.number("TOTALCOST"),
        "coverage": f.number("PAYER_COVERAGE"),
    }
    return Draft("medication", f.patient(), values, f.get("START"), codes=_codes(values["reason"]))


def procedure(f: Fields) -> Draft:
    """procedures → procedure."""
    values = {
        "code": f.coded("CODE", "DESCRIPTION", systems.SNOMED),
        "name": f.get("DESCRIPTION"),
        "start": f.get("START"),
        "end": f.get("STOP"),
        "reason": f.coded("REASONCODE", "REASONDESCRIPTION", systems.SNOMED),
        "encounter": f.encounter(),
        "cost": f.number("BASE_COST"),
    }
    return Draft("procedure", f.patient(), values, f.get("START"), codes=_codes(values["code"]))


def immunization(f: Fields) -> Draft:
    """immunizations → immunization."""
    values = {
        "code": f.coded("CODE", "DESCRIPTION", systems.CVX),
        "name": f.get("DESCRIPTION"),
        "time": f.get("DATE"),
        "encounter": f.encounter(),
        "cost": f.number("BASE_COST"),
    }
    return Draft("immunization", f.patient(), values, f.get("DATE"))


def allergy(f: Fields) -> Draft:
    """allergies → allergy."""
    substance = f.coded("CODE", "DESCRIPTION", systems.SNOMED)
    if substance:
        substance["system"] = _ALLERGY_SYSTEMS.get(substance["system"], substance["system"])
    reactions = [_reaction(f, n) for n in ("1", "2")]
    values = {
        "code": substance,
        "name": f.get("DESCRIPTION"),
        "type": f.get("TYPE"),
        "category": f.get("CATEGORY"),
        "reactions": [r for r in reactions if r] or None,
        "onset": f.get("START"),
        "end": f.get("STOP"),
        "encounter": f.encounter(),
    }
    return Draft("allergy", f.patient(), values, f.get("START"))


def imaging_study(f: Fields) -> Draft:
    """imaging_studies → imaging-study."""
    values = {
        "modality": f.coded("MODALITY_CODE", "MODALITY_DESCRIPTION", systems.DICOM),
        "body-site": f.coded("BODYSITE_CODE", "BODYSITE_DESCRIPTION", systems.SNOMED),
        "time": f.get("DATE"),
        "procedure": f.coded("PROCEDURE_CODE", "PROCEDURE_DESCRIPTION", systems.SNOMED),
        "series-uid": f.get("SERIES_UID"),
        "instance-uid": f.get("INSTANCE_UID"),
        "sop-class": f.coded("SOP_CODE", "SOP_DESCRIPTION", systems.DICOM),
        "encounter": f.encounter(),
    }
    return Draft("imaging-study", f.patient(), values, f.get("DATE"))


def care_plan(f: Fields) -> Draft:
    """careplans → care-plan."""
    values = {
        "code": f.coded("CODE", "DESCRIPTION", systems.SNOMED),
        "name": f.get("DESCRIPTION"),
        "start": f.get("START"),
        "end": f.get("STOP"),
        "reason": f.coded("REASONCODE", "REASONDESCRIPTION", systems.SNOMED),
        "encounter": f.encounter(),
        "status": "completed" if f.get("STOP") else "active",
    }
    return Draft("care-plan", f.patient(), values, f.get("START"), codes=_codes(values["reason"]))


def device(f: Fields) -> Draft:
    """devices → device."""
    values = {
        "code": f.coded("CODE", "DESCRIPTION", systems.SNOMED),
        "name": f.get("DESCRIPTION"),
        "udi": f.get("UDI"),
        "start": f.get("START"),
        "end": f.get("STOP"),
        "encounter": f.encounter(),
    }
    return Draft("device", f.patient(), values, f.get("START"))


_EVENT = ("PATIENT", "ENCOUNTER", "CODE", "START")
_MOMENT = ("PATIENT", "ENCOUNTER", "CODE", "DATE")
TABLES: Mapping[str, Table] = {
    "patients": Table(patient, ("Id",), ("BIRTHDATE", "FIRST", "LAST", "GENDER")),
    "encounters": Table(encounter, ("Id",), ("START", "STOP", "PATIENT", "ENCOUNTERCLASS", "CODE", "DESCRIPTION")),
    "conditions": Table(condition, _EVENT, ("STOP", "DESCRIPTION")),
    "observations": Table(observation, _MOMENT, ("CATEGORY", "DESCRIPTION", "VALUE", "UNITS", "TYPE")),
    "medications": Table(medication, _EVENT, ("STOP", "DESCRIPTION")),
    "procedures": Table(procedure, _EVENT, ("DESCRIPTION",)),
    "immunizations": Table(immunization, _MOMENT, ("DESCRIPTION",)),
    "allergies": Table(allergy, _EVENT, ("DESCRIPTION",)),
    "imaging_studies": Table(imaging_study, ("Id", "INSTANCE_UID"), ("DATE", "PATIENT", "MODALITY_CODE")),
    "careplans": Table(care_plan, ("Id",), ("START", "PATIENT", "CODE", "DESCRIPTION")),
    "devices": Table(device, _EVENT, ("DESCRIPTION",)),
}
_SURVEY_ITEMS = frozenset({"56799-0"})


def _name(f: Fields) -> str | None:
    if f.get("NAME"):
        return f.get("NAME")
    return " ".join(p for p in (f.get("FIRST"), f.get("MIDDLE"), f.get("LAST")) if p) or None


def _reaction(f: Fields, n: str) -> dict[str, str] | None:
    code = f.get(f"REACTION{n}")
    if code is None:
        return None
    more = {"display": f.get(f"DESCRIPTION{n}"), "severity": f.get(f"SEVERITY{n}")}
    return {"code": code, "system": systems.SNOMED, **{k: v for k, v in more.items() if v}}


def _plain(words: str | None) -> dict[str, str] | None:
    return {"code": words, "display": words} if words else None


def _codes(coded: object) -> tuple[Identity, ...]:
    return ((coded["system"], coded["code"]),) if isinstance(coded, dict) and "system" in coded else ()


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
