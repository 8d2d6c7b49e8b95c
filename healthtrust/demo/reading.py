"""Act three: the doctor reads exactly what was granted; proof, receipts, mirror."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from sqlalchemy import select

from core import verify as verifier
from core.artefact import ConsentArtefact
from core.hexes import to_bytes, to_hex
from gateway.client import GatewayClient, Key
from gateway.settings import Settings
from healthtrust.checkpoint import checkpoint, write_checkpoint
from healthtrust.demo.sources import HOSPITAL, Protagonist
from healthtrust.demo.stage import ASKED, OPENED, Say, Stage, StoryFailed, must, until
from mirror import compare, rebuild, trace
from mirror.database import Database
from mirror.status import status as mirror_status
from offchain import standards
from offchain.client import GateClient, GateRefused, Reading
from offchain.models import Record


def read(stage: Stage, doctor: Key, granted: ConsentArtefact, who: Protagonist, said: Say) -> tuple[Reading, GateClient]:
    """List and read what is granted, at every gate; what is not granted is refused."""
    caller = stage.client()
    caller.log_in(doctor)
    sealed = sealed_of(caller, granted)
    readings: list[tuple[Reading, GateClient]] = []
    for gate in stage.gates(doctor):
        pages = gate.pages(who.subject, consent=granted.consent, artefact=sealed)
        entries = [entry for page in pages for entry in page.entries]
        must({e["category"] for e in entries} <= set(ASKED), "the list holds nothing that was not granted")
        readings += [(_read_one(gate, who, granted, sealed, e), gate) for e in _one_of_each(entries)]
    must(len(readings) > 0, "there is something to read")
    for reading, _ in readings:
        _check_fields(reading)
    _refuse_other_categories(stage, doctor, granted, sealed, who)
    reading, gate = min(readings, key=lambda pair: -len(pair[0].withheld))
    said(f"{len(readings)} 份；例：{len(reading.elements)} 个字段给出，{len(reading.withheld)} 个字段“本人未开放”")
    return reading, gate


def prove(stage: Stage, gate: GateClient, reading: Reading, said: Say) -> Path:
    """Complete the bundle, verify it offline, and see that a changed value is noticed."""
    path = stage.settings.path("demo", "bundle.json")
    report = until(lambda: _verified(stage.settings, gate, reading, path), "the ledger holds the receipt")
    must(report.exit_code == 0, f"the bundle verifies offline: {report.text('en')}")
    tampered = json.loads(path.read_text("utf-8"))
    values = tampered["record"]["disclosure"]["values"]
    values[next(iter(values))] = "被改过"
    must(verifier.verify(tampered, checkpoint(stage.settings)).exit_code == 1, "a changed value is noticed")
    said(f"{sum(1 for line in report.lines if line.ok)} 条成立；改动一个值即被发现；{path}")
    return path


def show_receipts(stage: Stage, resident: GatewayClient, reading: Reading, said: Say) -> None:
    """The resident sees the reading."""

    def shown() -> int:
        page = resident.receipts(limit=200)
        return len(page.items) if any(r.record == reading.record["id"] for r in page.items) else 0

    said(f"{until(shown, 'the resident sees the receipt')} 条回执")


def audit(stage: Stage, reading: Reading, said: Say) -> None:
    """The mirror has caught up, a rebuilt copy has its digests, an identifier has a life."""
    settings = stage.settings

    def caught_up() -> bool:
        found = mirror_status(settings)
        return found.lag_blocks is not None and found.lag_blocks <= 1

    until(caught_up, "the mirror follows the chain")
    copy = settings.path("demo", "rebuilt.db")
    for old in copy.parent.glob("rebuilt.db*"):
        old.unlink()
    began = time.monotonic()
    rebuilt = rebuild.rebuild(settings, f"sqlite:///{copy}")
    seconds = time.monotonic() - began
    must(compare.compare(settings.mirror_database(), f"sqlite:///{copy}") is None, "a rebuilt mirror has the same digests")
    database = Database(settings.mirror_database())
    life = trace.trace(database, to_hex(stage.custodies[HOSPITAL].party.id))
    database.close()
    must(len(life.nodes) > 0, "an identifier has a life")
    said(f"{rebuilt.height} 个区块重建 {seconds:.1f} 秒，摘要相同")


def sealed_of(doctor: GatewayClient, granted: ConsentArtefact) -> dict[str, Any]:
    """The sealed artefact as the doctor received it; opened, it is what the resident signed."""
    held = doctor.received_consents(to_hex(granted.scope.subject)).items
    must(any(c.consent == to_hex(granted.consent) for c in held), "the doctor received the consent")
    opened = doctor.open_artefact(to_hex(granted.consent))
    must(opened == granted, "what the doctor opens is what the resident signed")
    document: dict[str, Any] = doctor.call("GET", f"/consents/{to_hex(granted.consent)}/artefact")
    return document


def _one_of_each(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({e["schema"]: e for e in entries}.values())


def _read_one(
    gate: GateClient, who: Protagonist, granted: ConsentArtefact, sealed: dict[str, Any], entry: dict[str, Any]
) -> Reading:
    schema = to_bytes(entry["schema"])
    return gate.read(who.subject, to_bytes(entry["record"]), schema, entry["category"], consent=granted.consent, artefact=sealed)


def _check_fields(reading: Reading) -> None:
    kind = standards.by_id(to_bytes(reading.record["schema"]))
    if kind is None:
        raise StoryFailed(detail="a record of an unknown document type was served")
    granted = {kind.numbers[n] for n in OPENED[kind.code]} if kind.code in OPENED else set(range(1, kind.element_count + 1))
    must({int(n) for n in reading.elements} <= granted, f"{kind.code}: nothing beyond the granted fields")
    must(not granted & set(reading.withheld), f"{kind.code}: no granted field is withheld")


def _refuse_other_categories(
    stage: Stage, doctor: Key, granted: ConsentArtefact, sealed: dict[str, Any], who: Protagonist
) -> None:
    diagnosis = standards.by_code("diagnosis")

    for own, gate in zip(stage.custodies, stage.gates(doctor), strict=True):
        with own.records.sessions() as session:
            hidden = select(Record.record).where(Record.subject == who.subject, Record.schema == diagnosis.id).limit(1)
            record = session.scalar(hidden)
        if record is None:
            continue
        try:
            gate.read(who.subject, record, diagnosis.id, "diagnosis", consent=granted.consent, artefact=sealed)
        except GateRefused:
            continue
        raise StoryFailed(detail="a diagnosis was read that was not granted")


def _verified(settings: Settings, gate: GateClient, reading: Reading, path: Path) -> verifier.Report | None:
    bundle = gate.complete(reading.bundle)
    path.write_text(json.dumps(bundle, ensure_ascii=False, indent=1), "utf-8")
    report = verifier.verify(bundle, write_checkpoint(settings))
    # The receipt goes on the ledger with the next batch; until then its lines are "not shown", which is neither true nor false.
    return report if all(line.ok is not None for line in report.lines) else None
