"""Log-in: by key, by password, by signed request; and what ends it."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import select, update

from core import crypto, httpsig
from core.crypto.encoding import raw_to_der
from core.hexes import to_bytes, to_hex
from gateway import database
from gateway.app import create_app
from gateway.client import GatewayClient, GatewayProblem, Key
from gateway.ledger import actions
from gateway.session.message import login_message
from gateway.session.models import Challenge, LoginSession
from gateway.session.service import LOCK_AFTER, create_administrator
from gateway.session.tasks import forget
from tests.gateway.house import URL, House
from tests.support.world import Practitioner, Resident

PASSWORD = "correct horse battery staple"


def signed_challenge(
    house: House, keyid: str, private: bytes, *, audience: str = URL, challenge: str | None = None
) -> dict[str, str]:
    asked = house.open().call("POST", "/sessions/challenges", body={"keyid": keyid})
    given = challenge or asked["challenge"]
    message = login_message(to_bytes(asked["ledger"]), audience, keyid, to_bytes(given))
    return {"keyid": keyid, "challenge": given, "signature": to_hex(crypto.sm2_sign(private, message))}


def keyid(resident: Resident) -> str:
    return httpsig.key_id("subject", resident.subject)


def refused(house: House, body: dict[str, str]) -> tuple[int, str]:
    with pytest.raises(GatewayProblem) as caught:
        house.open().call("POST", "/sessions", body=body)
    document = {k: v for k, v in caught.value.document.items() if k != "request"}
    return caught.value.status, str(document)


def test_a_resident_logs_in_with_the_key_the_ledger_holds(house: House) -> None:
    resident = house.world.resident()
    me = house.as_resident(resident).who_am_i()
    assert (me.roles, me.subject, me.token) == (["resident"], to_hex(resident.subject), None)


def test_a_der_signature_is_accepted(house: House) -> None:
    resident = house.world.resident()
    body = signed_challenge(house, keyid(resident), resident.keys.private)
    body["signature"] = to_hex(raw_to_der(to_bytes(body["signature"], 64)))
    assert house.open().call("POST", "/sessions", body=body)["subject"] == to_hex(resident.subject)


def test_whatever_is_wrong_the_answer_is_the_same(house: House) -> None:
    resident, stranger = house.world.resident(), Resident(b"\x77" * 32, crypto.sm2_generate())
    good, bad = keyid(resident), keyid(stranger)
    used = signed_challenge(house, good, resident.keys.private)
    house.open().call("POST", "/sessions", body=used)
    answers = {
        refused(house, signed_challenge(house, good, stranger.keys.private)),
        refused(house, signed_challenge(house, bad, stranger.keys.private)),
        refused(house, signed_challenge(house, good, resident.keys.private, audience="http://other.test")),
        refused(house, signed_challenge(house, good, resident.keys.private, challenge="0x" + "11" * 32)),
        refused(house, used),
    }
    assert len(answers) == 1
    assert answers.pop()[0] == 401


def test_a_challenge_is_used_up_by_a_wrong_signature_too(house: House) -> None:
    resident = house.world.resident()
    body = signed_challenge(house, keyid(resident), resident.keys.private)
    house_client = house.open()
    with pytest.raises(GatewayProblem, match="login_refused"):
        house_client.call("POST", "/sessions", body={**body, "signature": "0x" + "11" * 64})
    with pytest.raises(GatewayProblem, match="login_refused"):
        house_client.call("POST", "/sessions", body=body)


def test_a_challenge_grows_old(house: House) -> None:
    resident = house.world.resident()
    body = signed_challenge(house, keyid(resident), resident.keys.private)
    with database.writer(house.gateway.engine) as db:
        db.execute(update(Challenge).values(expires=int(time.time()) - 1))
        db.commit()
    assert refused(house, body)[0] == 401


def test_tokens_are_not_in_the_database(house: House) -> None:
    resident = house.world.resident()
    token = house.open().log_in(Key.of("subject", resident.subject, resident.keys.private)).token
    assert token is not None
    house.gateway.engine.dispose()
    files = b"".join(p.read_bytes() for p in house.home.rglob("gateway.db*"))
    assert token.encode() not in files
    with database.reader(house.gateway.engine) as db:
        assert crypto.sm3(token.encode()) in set(db.scalars(select(LoginSession.token)))


def test_a_session_ends_when_idle_and_when_logged_out(house: House) -> None:
    resident = house.world.resident()
    idle, busy, gone = (house.as_resident(resident) for _ in range(3))
    gone_token = gone._token
    gone.log_out()
    gone._token = gone_token
    with database.writer(house.gateway.engine) as db:
        old = int(time.time()) - house.gateway.settings.gateway.session_minutes * 60
        db.execute(update(LoginSession).where(LoginSession.token == crypto.sm3((idle._token or "").encode())).values(used=old))
        db.commit()
    assert busy.who_am_i().subject
    for client in (idle, gone):
        with pytest.raises(GatewayProblem, match="session_over"):
            client.who_am_i()
    forget(house.gateway)
    with database.reader(house.gateway.engine) as db:
        assert len(list(db.scalars(select(LoginSession)))) == 1


def test_a_revoked_credential_ends_the_session_with_the_next_block(house: House) -> None:
    doctor = house.world.practitioner(house.world.hospital)
    client = house.as_practitioner(doctor)
    assert client.who_am_i().roles == ["practitioner"]
    house.world.send((house.world.hospital, house.world.dismissal(doctor)))
    with pytest.raises(GatewayProblem, match="session_over"):
        client.who_am_i()


def test_a_suspended_hospital_ends_its_doctors_sessions_and_its_own_signatures(house: House) -> None:
    world = house.world
    doctor = world.practitioner(world.hospital)
    client, machine = house.as_practitioner(doctor), house.as_organisation(world.hospital)
    machine.who_am_i()
    for member in (world.operator, world.platform):
        call = actions.suspend(world.hospital.id) if member is world.operator else actions.vote(_newest_proposal(house))
        world.send((member, call))
    with pytest.raises(GatewayProblem, match="session_over"):
        client.who_am_i()
    with pytest.raises(GatewayProblem) as caught:
        machine.who_am_i()
    assert caught.value.status == 401


def _newest_proposal(house: House) -> int:
    ledger = house.world.ledger
    proposed = [e for block in ledger.events(0, ledger.head().height, ["Alliance"]) for e in block if e.name == "Proposed"]
    return int(proposed[-1].args["proposal"])


def test_a_hospital_cannot_make_auditors_or_administrators(house: House) -> None:
    world = house.world
    own = house.as_practitioner(world.practitioner(world.hospital, ("auditor", "administrator"))).who_am_i()
    alliances = house.as_practitioner(world.practitioner(world.operator, ("auditor", "administrator"))).who_am_i()
    assert own.roles == ["practitioner"]
    assert alliances.roles == ["administrator", "auditor", "practitioner"]


def test_administrators_log_in_with_a_password_and_lock_after_failures(house: House) -> None:
    create_administrator(house.gateway, "ops", PASSWORD)
    client = house.open()
    assert client.log_in_with_password("ops", PASSWORD).roles == ["administrator"]
    assert client.who_am_i().keyid == "administrator:ops"
    for _ in range(LOCK_AFTER):
        with pytest.raises(GatewayProblem, match="login_refused"):
            house.open().log_in_with_password("ops", "wrong")
    with pytest.raises(GatewayProblem, match="login_refused"):
        house.open().log_in_with_password("ops", PASSWORD)
    create_administrator(house.gateway, "ops", PASSWORD + "!")
    assert house.open().log_in_with_password("ops", PASSWORD + "!").token
    with pytest.raises(GatewayProblem, match="session_over"):
        client.who_am_i()
    with pytest.raises(ValueError, match="12 characters"):
        create_administrator(house.gateway, "ops", "short")


def test_a_machine_and_a_person_may_sign_requests_instead(house: House) -> None:
    doctor: Practitioner = house.world.practitioner(house.world.hospital)
    signed = house.open().sign_as(Key.of("practitioner", doctor.id, doctor.keys.private))
    assert signed.who_am_i().practitioner == to_hex(doctor.id)
    machine = house.as_organisation(house.world.operator).who_am_i()
    assert machine.roles == ["auditor", "operator", "organisation", "registrar"]


def signed_get(house: House, path: str = "/api/v1/sessions/current", **how: int) -> dict[str, str]:
    member = house.world.platform
    return httpsig.sign_request(member.sm2.private, httpsig.key_id("organisation", member.id), "GET", URL + path, **how)


def test_a_signed_request_works_once_even_over_a_restart(house: House) -> None:
    headers = signed_get(house)
    assert house.http().get("/api/v1/sessions/current", headers=headers).status_code == 200
    again = house.http().get("/api/v1/sessions/current", headers=headers)
    assert (again.status_code, again.json()["code"]) == (401, "request_replayed")
    restarted = create_app(house.gateway.settings, house.gateway.ledger, kick=lambda: None)
    house.app = restarted
    assert house.http().get("/api/v1/sessions/current", headers=headers).json()["code"] == "request_replayed"


@pytest.mark.parametrize(
    ("path", "how"),
    [
        ("/api/v1/notices", {}),
        ("/api/v1/sessions/current?x=1", {}),
        ("/api/v1/sessions/current", {"now": int(time.time()) - 600}),
        ("/api/v1/sessions/current", {"now": int(time.time()) + 600}),
        ("/api/v1/sessions/current", {"life": 3600}),
    ],
)
def test_a_signature_for_something_else_or_another_time_is_refused(house: House, path: str, how: dict[str, int]) -> None:
    answer = house.http().get("/api/v1/sessions/current", headers=signed_get(house, path, **how))
    assert answer.status_code == 401


def test_a_changed_body_is_refused(house: House) -> None:
    member = house.world.platform
    body, url = b'{"kind":"test","digest":"0x' + b"11" * 32 + b'"}', URL + "/api/v1/evidence"
    headers = httpsig.sign_request(member.sm2.private, httpsig.key_id("organisation", member.id), "POST", url, body)
    headers |= {"Idempotency-Key": "k" * 16, "Content-Type": "application/json"}
    changed = house.http().post("/api/v1/evidence", content=body.replace(b"11", b"22"), headers=headers)
    assert changed.status_code == 401
    assert house.http().post("/api/v1/evidence", content=body, headers=headers).status_code == 202


def test_a_session_and_a_signature_together_are_refused(house: House) -> None:
    headers = signed_get(house) | {"Authorization": "Bearer x"}
    assert house.http().get("/api/v1/sessions/current", headers=headers).status_code == 401


def test_a_login_at_another_gateway_is_useless_here(house: House) -> None:
    resident = house.world.resident()
    elsewhere = GatewayClient("http://other.test", http=house.http())
    elsewhere.url = "http://other.test"
    body = signed_challenge(house, keyid(resident), resident.keys.private, audience=elsewhere.url)
    assert refused(house, body)[0] == 401
    elsewhere.close()
