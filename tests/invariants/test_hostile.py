"""Bytes made to hurt: depth, sizes, characters no database takes. A refusal with a reason, never a failure, never an echo."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from starlette.testclient import TestClient

from core.hexes import to_hex
from core.httpsig import sign_request
from gateway.client import GatewayClient, GatewayProblem
from offchain.intake.fhir import FhirFolder
from tests.gateway.house import URL, House
from tests.offchain.gate_scene import Scene
from tests.offchain.intake_kit import open_kit
from tests.offchain.test_intake_sources import PATIENT, condition

MARK = "F20-secret-marker"
DEEP = 50_000


def hostile_values() -> dict[str, bytes]:
    """JSON values by what is wrong with them."""
    return {
        "arrays nested": b"[" * DEEP + b"]" * DEEP,
        "objects nested": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        "nested as deep as a parser takes": b"[" * 900 + b"]" * 900,
        "objects nested as deep as a parser takes": b'{"a":' * 900 + b"1" + b"}" * 900,
        "a number of 10,000 digits": b"9" * 10_000,
        "an exponent": b"1e400",
        "not a number": b"NaN",
        "NUL": b'"\\u0000' + MARK.encode() + b'"',
        "half a surrogate": b'"\\ud800' + MARK.encode() + b'"',
        "bytes that are no text": b'"\xff\xfe' + MARK.encode() + b'"',
        "a script": b'"<script>' + MARK.encode() + b'</script>"',
        "SQL": b"\"' OR 1=1; DROP TABLE consent; -- %_" + MARK.encode() + b'"',
    }


@pytest.mark.parametrize("what", hostile_values())
def test_hostile_bodies_are_refused_by_the_gateway(house: House, what: str) -> None:
    value = hostile_values()[what]
    resident = house.world.resident()
    client = house.as_resident(resident)
    token = {"authorization": f"Bearer {client._token}"}
    bodies = {
        "/sessions/challenges": b'{"keyid":%s}' % value,
        "/identities/enrolments": b'{"id_number":%s,"name":%s,"code":%s}' % (value, value, value),
        "/consents/prepare": b'{"scope":%s}' % value,
        "/consents/preview": b'{"scope":{"kind":%s},"artefacts":[%s]}' % (value, value),
        "/consents": b'{"message":%s,"signature":%s,"artefact":%s}' % (value, value, value),
        "/consents/revocations": b'{"message":"0x00","signature":%s}' % value,
    }
    http = house.http()
    for path, body in bodies.items():
        headers = {**token, "idempotency-key": secrets.token_hex(16), "content-type": "application/json"}
        answer = http.post(f"/api/v1{path}", content=body, headers=headers)
        assert 400 <= answer.status_code < 500, (path, answer.status_code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert MARK not in answer.text
        assert len(answer.content) < 10_000


def test_text_no_database_takes_is_refused_at_the_edge(house: House) -> None:
    """NUL in a name is no error of SQLite and one of PostgreSQL: neither gets to see it."""
    body = {"code": "TEST-SZXYY", "name": "a\0b"}
    with pytest.raises(GatewayProblem, match="malformed_json"):
        house.as_organisation(house.world.hospital).call("POST", "/organisations/profile", body=body)


@pytest.mark.parametrize("what", hostile_values())
def test_hostile_bodies_are_refused_by_the_gate(scene: Scene, what: str) -> None:
    value = hostile_values()[what]
    s, url = scene.stored, "http://gate.test/gate/v1/records/read"
    good: dict[str, Any] = {
        "subject": to_hex(s.subject),
        "purpose": "TREAT",
        "record": to_hex(s.record),
        "schema": to_hex(s.schema),
    }
    good |= {"category": s.category, "fields": "all", "role": "physician"}
    keyid = f"practitioner:{to_hex(scene.doctor.id)}"
    for name in ("purpose", "fields", "artefact"):
        hole = b'"HOLE"'
        request = {**good, **({name: "HOLE"} if name in good else {})}
        document = {
            "request": request,
            "consent": to_hex(scene.consent.consent),
            "artefact": "HOLE" if name == "artefact" else None,
        }
        body = orjson.dumps(document).replace(hole, value)
        answer = scene.serving.http.post(
            url, content=body, headers=sign_request(scene.doctor.keys.private, keyid, "POST", url, body)
        )
        assert 400 <= answer.status_code < 500, (name, answer.status_code, answer.text[:200])
        assert MARK not in answer.text


@pytest.mark.parametrize("what", hostile_values())
def test_hostile_resources_do_not_stop_an_import(tmp_path: Path, what: str) -> None:
    value = hostile_values()[what]
    kit, folder = open_kit(tmp_path / "home"), tmp_path / "in"
    folder.mkdir()
    bad = orjson.dumps(condition(1, note=[{"text": "HOLE"}], code="HOLE")).replace(b'"HOLE"', value)
    lines = [orjson.dumps(PATIENT), bad, orjson.dumps(condition(2))]
    (folder / "a.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    report = kit.run(FhirFolder(folder, "hospital"))
    assert report.total("new") + report.total("quarantined") == 3
    assert report.total("new") >= 2


def test_numbers_no_database_takes_are_refused_by_every_list(house: House) -> None:
    """Cursors, limits, times, heights: what is longer than any column is no error of the server."""
    world = house.world
    callers = [
        house.as_resident(world.resident()),
        house.as_practitioner(world.practitioner(world.operator, ("auditor",))),
        house.as_organisation(world.hospital),
        house.as_practitioner(world.practitioner(world.hospital)),
    ]
    roles = [frozenset(c.who_am_i().roles) for c in callers]
    asked = 0
    for path, item in house.app.openapi()["paths"].items():
        if "get" not in item or "{" in path:
            continue
        allowed = frozenset(item["get"]["x-roles"])
        client = next((c for c, r in zip(callers, roles, strict=True) if r & allowed), callers[0])
        for name in (p["name"] for p in item["get"].get("parameters", ()) if p["in"] == "query"):
            for value in ("9" * 20, "9" * 400, f"1-{'9' * 20}", "-1"):
                answer = _as(client, house, f"{path}?{name}={value}")
                assert answer.status_code < 500, (path, name, value)
                asked += 1
    assert asked > 60


def _as(client: GatewayClient, house: House, target: str) -> httpx.Response:
    url = URL + target
    with TestClient(house.app, base_url=URL, raise_server_exceptions=False) as http:
        return http.get(url, headers=client._headers("GET", url, b"", ""), follow_redirects=False)


def test_a_host_header_never_becomes_an_address(house: House) -> None:
    client = house.as_resident(house.world.resident())
    for path in ("/api/v1/index/entries", "/api/v1/index/entries/", "/api/v1//index/entries"):
        url = URL + path
        answer = house.http().get(
            url, headers={**client._headers("GET", url, b"", ""), "Host": "evil.test"}, follow_redirects=False
        )
        assert answer.status_code in (200, 401, 404)
        assert "evil.test" not in f"{answer.headers}{answer.text}"


def test_a_receipt_number_no_database_takes_is_nobodys(scene: Scene) -> None:
    for number in ("9" * 20, "9" * 400):
        url, keyid = f"http://gate.test/gate/v1/receipts/{number}/bundle", f"practitioner:{to_hex(scene.doctor.id)}"
        answer = scene.serving.http.get(url, headers=sign_request(scene.doctor.keys.private, keyid, "GET", url, b""))
        assert 400 <= answer.status_code < 500
