"""A custodian with keys, database and store in a temporary directory, for the intake tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from core.ids import organisation_id
from gateway.keyring import load_or_create
from offchain import database, repository, standards
from offchain.empi import Empi
from offchain.envelope import Envelope
from offchain.intake.pipeline import Custodian, Intake
from offchain.intake.port import Source
from offchain.intake.report import RunReport
from offchain.keys import CustodianKeys, RegistrarKeys
from offchain.models import EntryRow, Quarantine
from offchain.repository import Records
from offchain.stores.files import FileStore

ORGANISATION = organisation_id("TEST-SZXYY")
NOW = 1_790_000_000


@dataclass
class Kit:
    """One custodian and the registrar."""

    custodian: Custodian
    empi: Empi
    records: Records

    def run(self, source: Source, **options: object) -> RunReport:
        """Import, and check that every line is accounted for."""
        report = Intake(self.custodian, self.empi, clock=lambda: NOW, **options).run(source)  # type: ignore[arg-type]
        assert report.accounted, report.to_json()
        return report

    def count(self, table: type) -> int:
        """Rows of a table."""
        with self.custodian.sessions() as session:
            return session.scalar(select(func.count()).select_from(table)) or 0

    def entries(self) -> list[EntryRow]:
        """All index entries by sequence."""
        with self.custodian.sessions() as session:
            return list(session.scalars(select(EntryRow).order_by(EntryRow.sequence)))

    def quarantined(self) -> list[Quarantine]:
        """Open quarantine rows by file and line."""
        with self.custodian.sessions() as session:
            query = select(Quarantine).where(Quarantine.resolved.is_(False)).order_by(Quarantine.file, Quarantine.line)
            return list(session.scalars(query))

    def values(self, entry: EntryRow) -> dict[str, object]:
        """Decrypted elements by short name."""
        kind = standards.by_id(entry.schema)
        assert kind is not None
        names = {e.n: e.id for e in kind.elements}
        with self.custodian.sessions() as session:
            return {names[n]: v for n, v in self.records.content(session, entry).elements.items()}

    def of_type(self, code: str) -> list[EntryRow]:
        """Entries of a document type."""
        schema = standards.by_code(code).id
        return [e for e in self.entries() if e.schema == schema]

    def record(self, entry: EntryRow) -> list[EntryRow]:
        """All versions of an entry's record."""
        return [e for e in self.entries() if e.record == entry.record]

    def current(self, record: bytes) -> EntryRow | None:
        """The newest version."""
        with self.custodian.sessions() as session:
            return repository.current(session, record)


def open_kit(home: Path, organisation: str = "hospital", url: str | None = None) -> Kit:
    """A custodian under ``home/organisation`` (its database at ``url``); the registrar under ``home`` is shared by all."""
    ring = load_or_create(home / organisation / "keys.json", organisation)
    registrar = load_or_create(home / "registrar" / "keys.json", "registrar")
    keys = CustodianKeys(ring)
    envelope, store = Envelope(keys.wrap), FileStore(home / organisation / "records")
    sessions = database.custodian_sessions(url or f"sqlite:///{home / organisation / 'store.db'}")
    empi = Empi(database.registrar_sessions(f"sqlite:///{home / 'registrar' / 'registrar.db'}"), RegistrarKeys(registrar))
    return Kit(Custodian(sessions, store, envelope, keys), empi, Records(ORGANISATION, store, envelope))
