"""Where the demo's records come from: our own seeded generator, or real input; and whom to tell the story about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from core.vocabulary import category_number
from gateway.settings import Settings
from healthtrust.custody import Custody, registry
from offchain.generator import CSV_FOLDER, FHIR_FOLDER, generate
from offchain.intake.deliveries import source_in
from offchain.intake.port import Draft, Person, SourceRecord
from offchain.models import Record

SEED, RESIDENTS = 2026, 30
PLATFORM, HOSPITAL = 0, 1
"""Places in ``settings.gates``: the district platform brings tables, the hospital FHIR."""
WANTED = ("medication", "laboratory", "vital-signs")


@dataclass(frozen=True)
class Protagonist:
    """The resident of the story: who they are at the counter, and what the ledger calls them."""

    name: str
    number: str
    subject: bytes


def folders(settings: Settings, data: Path | None) -> dict[str, Path]:
    """Source folder by custodian code; the sample is made once. Raises FileNotFoundError naming the folder that is missing."""
    base = data or settings.path("sample", CSV_FOLDER, "x").parent.parent
    if data is None and not (base / FHIR_FOLDER).is_dir():
        generate(base, SEED, RESIDENTS)
    found = {settings.gates[PLATFORM].code: base / CSV_FOLDER, settings.gates[HOSPITAL].code: base / FHIR_FOLDER}
    for folder in found.values():
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder; DATA needs {CSV_FOLDER}/ and {FHIR_FOLDER}/")
    return found


def people(settings: Settings, folder: Path) -> list[tuple[Person, bytes]]:
    """People of a source who can enrol (they have a number), with their subjects, in the source's order."""
    source = source_in(folder)
    found: list[Person] = []
    for row in source.read():
        if not isinstance(row, SourceRecord) or row.type.lower() not in ("patient", "patients"):
            continue
        draft = source.map(row)
        if isinstance(draft, Draft) and draft.person and draft.person.number:
            found.append(draft.person)
    known = registry(settings).resolve(source.name, [p.identities[0] for p in found])
    return [(p, known[p.identities[0]]) for p in found if p.identities[0] in known]


def choose(settings: Settings, folders: Iterable[Path], custodies: list[Custody]) -> list[Protagonist]:
    """People of the sources, richest first in what a doctor would ask for: kinds of records, then how many."""
    wealth: Counter[bytes] = Counter()
    for own in custodies:
        with own.records.sessions() as session:
            wanted = Record.category.in_([category_number(c) for c in WANTED])
            kinds = (
                select(Record.subject, func.count(Record.category.distinct()), func.count())
                .where(wanted)
                .group_by(Record.subject)
            )
            for subject, categories, records in session.execute(kinds):
                # A kind more tells the story better than any number of records of the same kind.
                wealth[subject] += 1000 * categories + min(records, 999)
    known = {subject: Protagonist(p.name, p.number or "", subject) for f in folders for p, subject in people(settings, f)}
    return sorted(known.values(), key=lambda who: -wealth[who.subject])
