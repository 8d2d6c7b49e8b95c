"""kill -9 at every single write of a rotation of keys: a second run finishes it, and every record opens before and after."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.keyring import load_or_create
from offchain import rotation
from offchain.intake.fhir import FhirFolder
from offchain.models import RecordKey
from offchain.repository import Records
from tests.fault.test_intake_kill import _every_point as every_point
from tests.offchain.intake_kit import ORGANISATION, open_kit
from tests.offchain.test_intake_sources import PATIENT, condition, ndjson

RECORDS = 5


def test_a_rotation_survives_kill_at_every_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "ROWS", 2)
    export = tmp_path / "export"
    export.mkdir()
    ndjson(export / "a.ndjson", *(condition(i) for i in range(RECORDS - 1)), b"{", PATIENT)

    def work(home: Path) -> None:
        kit, keys = open_kit(home), home / "hospital" / "keys.json"
        if not (home / "imported").exists():
            kit.run(FhirFolder(export, "hospital", full=True))
            (home / "imported").touch()
        opened(home)
        if not (home / "rotated").exists():
            rotation.rotate(kit.custodian.sessions, keys, "hospital")
            (home / "rotated").touch()

    def opened(home: Path) -> None:
        kit, envelope = open_kit(home), rotation.open_envelope(home / "hospital" / "keys.json", "hospital")
        records = Records(ORGANISATION, kit.custodian.store, envelope)
        with kit.custodian.sessions() as session:
            assert len([records.content(session, entry) for entry in kit.entries()]) == RECORDS

    def check(home: Path) -> None:
        opened(home)
        ring = load_or_create(home / "hospital" / "keys.json", "hospital")
        assert ring.older == ()
        with open_kit(home).custodian.sessions() as session:
            under = set(session.scalars(select(RecordKey.wrapped_by)))
        assert under == {rotation.open_envelope(home / "hospital" / "keys.json", "hospital").wrapped_by}

    assert every_point(tmp_path, work, check) > 25
