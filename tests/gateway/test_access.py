"""Asking and answering: both signed by the right key, committed on the ledger, told to the other side."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from sqlalchemy import update

from core import crypto
from core.hexes import to_bytes, to_hex
from gateway import database
from gateway.access.models import AccessRequest
from gateway.access.tasks import expire
from gateway.client import GatewayClient, GatewayProblem
from gateway.ledger.port import Call
from tests.gateway.house import House
from tests.scenarios.test_story import scope_for
from tests.support.world import Practitioner, Resident


@pytest.fixture
def people(house: House) -> tuple[Resident, Practitioner, GatewayClient, GatewayClient]:
    resident, doctor = house.world.resident(), house.world.practitioner(house.world.hospital)
    return resident, doctor, house.as_resident(resident), house.as_practitioner(doctor)


def ask(client: GatewayClient, resident: Resident | None) -> Any:
    now = int(time.time())
    subject = to_hex(resident.subject) if resident else None
    return client.ask(subject=subject, purpose="TREAT", reason="复诊", period=(now, now + 3600), categories=["laboratory"])


def on_ledger(house: House, id: str) -> dict[str, Any]:
    held: dict[str, Any] = house.world.ledger.read(Call("Access", "requestOf", {"id": to_bytes(id)}))
    return held


def test_request_and_answer_are_committed_to_on_the_ledger(house: House, people: Any) -> None:
    resident, doctor, mine, theirs = people
    made = ask(theirs, resident)
    shown = mine.access_request(made.id)
    assert crypto.hmac_sm3(to_bytes(shown.salt), shown.document.encode()) == on_ledger(house, made.id)["commitment"]
    assert crypto.sm2_verify(doctor.keys.public, shown.document.encode(), to_bytes(shown.signature, 64))
    artefact, accepted = mine.grant(scope_for(house, resident, doctor, "laboratory"))
    mine.wait(accepted)
    mine.wait(mine.answer(made.id, to_hex(artefact.consent)))
    assert on_ledger(house, made.id)["value"] == 1
    answered = theirs.access_request(made.id)
    assert (answered.status, json.loads(answered.answer or "")["answer"]) == ("granted", "permit")
    with pytest.raises(GatewayProblem, match="already_answered"):
        mine.answer(made.id, None)


def test_a_refusal_reaches_the_doctor_and_is_final(house: House, people: Any) -> None:
    resident, _, mine, theirs = people
    made = ask(theirs, resident)
    mine.wait(mine.answer(made.id, None))
    (notice,) = [n for n in theirs.notices().items if n.kind == "access-answer"]
    assert (notice.about, notice.data["answer"], on_ledger(house, made.id)["value"]) == (made.id, "refuse", 2)
    with pytest.raises(GatewayProblem, match="already_answered"):
        theirs.call("POST", f"/access-requests/{made.id}/withdrawal")


def test_a_request_must_be_the_callers_own_words(house: House, people: Any) -> None:
    resident, doctor, _, theirs = people
    sent: list[dict[str, Any]] = []
    original = theirs._signed_document

    def capture(document: dict[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = original(document)
        sent.append(body)
        return body

    theirs._signed_document = capture
    ask(theirs, resident)
    good = sent[0]["document"] | {"id": "0x" + "31" * 32}
    wrong = [
        ({"requester": "0x" + "11" * 32}, "request_wrong"),
        ({"organisation": to_hex(house.world.platform.id)}, "request_wrong"),
        ({"role": "researcher"}, "request_wrong"),
        ({"time": good["time"] - 1000}, "request_wrong"),
        ({"subject": None}, "request_wrong"),
        ({"subject": "0x" + "99" * 32}, "request_wrong"),
        ({"purpose": "NONSENSE"}, "unknown_code"),
        ({"categories": ["nonsense"]}, "unknown_code"),
        ({"reason": ""}, "invalid_request"),
        ({"id": sent[0]["document"]["id"]}, "request_exists"),
    ]
    for change, code in wrong:
        with pytest.raises(GatewayProblem, match=code):
            theirs.call("POST", "/access-requests", body=original(good | change))
    body = original(good)
    with pytest.raises(GatewayProblem, match="bad_signature"):
        theirs.call("POST", "/access-requests", body={**body, "document": good | {"reason": "另一个理由"}})
    assert doctor.id


def test_a_permit_needs_a_consent_of_ones_own_and_ones_own_signature(house: House, people: Any) -> None:
    resident, _, mine, theirs = people
    made = ask(theirs, resident)
    with pytest.raises(GatewayProblem, match="consent_missing"):
        mine.answer(made.id, "0x" + "55" * 32)
    document = {
        "kind": "healthtrust/access-answer",
        "version": 1,
        "request": made.id,
        "answer": "refuse",
        "consent": None,
        "time": int(time.time()),
    }
    forged = {"document": document, "salt": "0x" + "11" * 32, "signature": "0x" + "22" * 64}
    with pytest.raises(GatewayProblem, match="bad_signature"):
        mine.call("POST", f"/access-requests/{made.id}/answer", body=forged)
    with pytest.raises(GatewayProblem, match="not_found"):
        house.as_resident(house.world.resident()).answer(made.id, None)


def test_on_site_whoever_scans_the_picture_claims_it_once(house: House, people: Any) -> None:
    resident, _, mine, theirs = people
    made = ask(theirs, None)
    query = parse_qs(urlparse(made.qr.replace("#/", "")).query)
    assert query["id"] == [made.id]
    picture = theirs._http.get(f"{theirs.url}/api/v1/access-requests/{made.id}/qr", headers=theirs._headers("GET", "", b"", ""))
    assert picture.headers["content-type"] == "image/svg+xml"
    assert b"<svg" in picture.content
    assert mine.access_requests().items == []
    with pytest.raises(GatewayProblem, match="not_found"):
        mine.claim(made.id, "0" * 32)
    assert mine.claim(made.id, query["code"][0]).subject == to_hex(resident.subject)
    assert [r.id for r in mine.access_requests("waiting").items] == [made.id]
    with pytest.raises(GatewayProblem, match="not_found"):
        house.as_resident(house.world.resident()).claim(made.id, query["code"][0])
    mine.wait(mine.answer(made.id, None))


def test_a_remote_request_has_no_picture(people: Any) -> None:
    resident, _, _, theirs = people
    made = ask(theirs, resident)
    assert made.qr is None


def test_an_unanswered_request_expires_here_and_on_the_ledger(house: House, people: Any) -> None:
    resident, _, mine, theirs = people
    made = ask(theirs, resident)
    with database.writer(house.gateway.engine) as db:
        db.execute(update(AccessRequest).values(expires=int(time.time()) - 1))
        db.commit()
    with pytest.raises(GatewayProblem, match="already_answered"):
        mine.answer(made.id, None)
    assert expire(house.gateway) == 1
    assert expire(house.gateway) == 0
    house.gateway.kick()
    assert theirs.access_request(made.id).status == "expired"
    assert on_ledger(house, made.id)["value"] == 3
    assert [n.data["answer"] for n in theirs.notices().items if n.kind == "access-answer"] == ["expired"]


def test_a_withdrawn_request_is_closed(house: House, people: Any) -> None:
    resident, _, mine, theirs = people
    made = ask(theirs, resident)
    theirs.call("POST", f"/access-requests/{made.id}/withdrawal")
    assert mine.access_request(made.id).status == "withdrawn"
    assert on_ledger(house, made.id)["value"] == 4
