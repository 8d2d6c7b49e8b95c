"""Act one: hospitals bring their records, members and document types are made known, staff get credentials."""

from __future__ import annotations

from core.hexes import to_hex
from gateway.client import Key
from gateway.ledger.port import Call
from healthtrust import founding
from healthtrust.custody import import_folder, registry
from healthtrust.demo.cast import AUDITOR, COLLEAGUE, DOCTOR, employ
from healthtrust.demo.sources import HOSPITAL
from healthtrust.demo.stage import Say, Stage, must
from offchain import standards


def import_records(stage: Stage, said: Say) -> None:
    """Import both sources and anchor what is new."""
    for own in stage.custodies:
        report = import_folder(stage.settings, own, stage.folders[own.party.code])
        must(report.accounted, f"{report.source}: every line is accounted for")
        batches = own.anchor()
        new, held = report.total("new") + report.total("changed"), report.total("quarantined")
        rate = report.lines / max(report.seconds, 1e-3)
        said(f"{own.party.name}: {report.lines} 行, {new} 新, {held} 待查, {batches} 批存证 ({rate:,.0f} 行/秒)")


def publish(stage: Stage, said: Say) -> None:
    """Members, document types, the enrolment directory and the index batches go to the gateway."""
    gateway, office = stage.client(), founding.registrar(stage.settings)
    gateway.sign_as(office.machine)
    gateway.set_organisation_profile(office.code, office.name)
    for kind in standards.document_types().values():
        gateway.register_schema(dict(kind.document))
    empi = registry(stage.settings)
    people = 0
    while rows := empi.directory():
        entries = [{"lookup": to_hex(r.lookup), "subject": to_hex(r.subject), "nameCheck": to_hex(r.name_check)} for r in rows]
        gateway.fill_directory(entries)
        empi.posted(rows)
        people += len(rows)
    for own, gate in zip(stage.custodies, stage.settings.gates, strict=True):
        gateway.sign_as(own.party.machine)
        gateway.set_organisation_profile(own.party.code, own.party.name, gate.public_url)
        own.publish(gateway)
    said(f"{len(standards.document_types())} 种文书, {people} 位新居民可开户")


def employ_staff(stage: Stage) -> Key:
    """Credentials for a doctor and a nurse of the hospital and an auditor of the office; the doctor's key."""
    gateway, hospital = stage.client(), stage.custodies[HOSPITAL]
    office = founding.registrar(stage.settings)

    def write_for_office(call: Call) -> None:
        with founding.ledger_of(stage.settings, office) as ledger:
            founding.write(ledger, call)

    def write_for_hospital(call: Call) -> None:
        hospital.write(f"credential/{call.args['practitioner'].hex()}", "credential.issue", call)

    employ(stage.settings, stage.wallet, gateway, AUDITOR, office, write_for_office)
    employ(stage.settings, stage.wallet, gateway, COLLEAGUE, hospital.party, write_for_hospital)
    return employ(stage.settings, stage.wallet, gateway, DOCTOR, hospital.party, write_for_hospital)
