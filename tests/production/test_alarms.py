"""Every alarm is raised by what it is for, and by nothing else."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import update

from core import crypto
from gateway.ledger import outbox
from gateway.ledger.db import open_engine
from gateway.ledger.port import Call
from gateway.settings import GateSettings, Settings
from healthtrust import alarms
from healthtrust.alarms import STUCK_SECONDS
from offchain.database import close, custodian_sessions
from offchain.receipts import Draft, ReceiptLog

CODE = "H-1"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, gates=[GateSettings(code=CODE, name=CODE)])


def kinds(settings: Settings) -> list[str]:
    return [alarm.kind for alarm in alarms.alarms(settings)]


def test_a_host_where_nothing_ever_ran(settings: Settings) -> None:
    found = {alarm.kind: alarm.text for alarm in alarms.alarms(settings)}
    assert set(found) == {"mirror", "node"}
    assert "never ran" in found["mirror"]
    assert "has to be founded first" in found["node"]


def test_a_write_that_waits(settings: Settings) -> None:
    sessions = custodian_sessions(settings.custodian_database(CODE))
    with sessions.begin() as session:
        outbox.enqueue(session, "a-key", "evidence", Call("Evidence", "record", {"kind": bytes(32), "digest": bytes(32)}))
    assert "writes" not in kinds(settings)
    with sessions.begin() as session:
        session.execute(update(outbox.Operation).values(created=time.time() - STUCK_SECONDS - 1))
    assert "writes" in kinds(settings)
    with sessions.begin() as session:
        session.execute(update(outbox.Operation).values(state=outbox.SUCCEEDED))
    assert "writes" not in kinds(settings)
    close(sessions)


def test_receipts_that_nobody_is_known_to_have_got(settings: Settings) -> None:
    close(custodian_sessions(settings.custodian_database(CODE)))
    key = crypto.sm2_generate()
    url = f"sqlite:///{settings.path('custodians', CODE, 'receipts.db')}"
    log = ReceiptLog(open_engine(url), bytes(32), lambda m: crypto.sm2_sign(key.private, m))
    log.write([Draft({"height": 0}, bytes([n]) * 32, 1) for n in (1, 2)])
    assert {"undelivered", "unanchored"} <= set(kinds(settings))
    for number in (0, 1):
        log.mark_delivered(number)
    log.flush()
    batch = log.new_batch()
    assert batch is not None
    assert "undelivered" not in kinds(settings)
    assert "unanchored" in kinds(settings)
    log.settle_batch(batch, 0, 1)
    assert "unanchored" not in kinds(settings)
    log.close()


@pytest.mark.parametrize(("days", "alarmed"), [(29, True), (31, False), (-1, True)])
def test_a_certificate_that_ends(settings: Settings, days: int, alarmed: bool) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer")])
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now - dt.timedelta(days=60)).not_valid_after(now + dt.timedelta(days=days))
    path = settings.path("network", "fabric", "tls", "server.crt")
    path.write_bytes(built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    assert ("certificates" in kinds(settings)) == alarmed
