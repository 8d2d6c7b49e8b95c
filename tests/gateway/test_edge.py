"""The edge: idempotency, limits, refusals in two languages, logs and figures without personal data."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from gateway import database
from gateway.ledger import outbox
from gateway.notice.models import Notice
from tests.gateway.house import URL, House
from tests.gateway.test_authority import belongings
from tests.scenarios.test_story import ID_NUMBER, NAME, enrol
from tests.support.waiting import until

DIGEST = "0x" + "11" * 32
EVIDENCE = {"kind": "test", "digest": DIGEST}
VOTE = {"proposal": 1, "signature": "0x" + "00" * 64}


def count(house: House, model: type) -> int:
    with database.reader(house.gateway.engine) as db:
        return db.scalar(select(func.count()).select_from(model)) or 0


def token(house: House) -> str:
    return str(house.as_resident(house.world.resident())._token)


def test_a_write_needs_a_key(house: House) -> None:
    headers = {"Authorization": f"Bearer {token(house)}"}
    for key in (None, "short", "ü" * 20, "x" * 129):
        sent: dict[str, str | bytes] = {**headers, **({"Idempotency-Key": key.encode()} if key else {})}
        answer = house.http().post(
            "/api/v1/access-requests/" + DIGEST + "/claim", json={"code": "0" * 32}, headers=list(sent.items())
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_needed")


def test_the_same_key_and_body_give_the_same_answer_and_one_operation(house: House) -> None:
    client = house.as_organisation(house.world.platform)
    before = count(house, outbox.Operation)
    answers = [client.call("POST", "/evidence", body=EVIDENCE, key="k" * 16) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert count(house, outbox.Operation) == before + 1


def test_the_same_key_with_another_body_route_or_caller(house: House) -> None:
    client, other = house.as_organisation(house.world.platform), house.as_organisation(house.world.hospital)
    first = client.call("POST", "/evidence", body=EVIDENCE, key="k" * 16)
    for path, body in (("/evidence", {**EVIDENCE, "kind": "other"}), ("/alliance/votes", VOTE)):
        with pytest.raises(Exception, match="idempotency_key_reused"):
            client.call("POST", path, body=body, key="k" * 16)
    assert other.call("POST", "/evidence", body=EVIDENCE, key="k" * 16)["operation"]["id"] != first["operation"]["id"]


def test_two_at_once_with_one_key_do_it_once(house: House) -> None:
    clients = [house.as_organisation(house.world.platform) for _ in range(4)]
    before = count(house, outbox.Operation)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda c: c.call("POST", "/evidence", body=EVIDENCE, key="q" * 20), clients))
    assert len({a["operation"]["id"] for a in answers}) == 1
    assert count(house, outbox.Operation) == before + 1


def test_a_refused_write_leaves_nothing_and_may_be_tried_again_with_its_key(house: House) -> None:
    client = house.as_organisation(house.world.platform)
    with pytest.raises(Exception, match="not_our_organisation"):
        client.call("POST", "/alliance/votes", body=VOTE, key="r" * 16)
    assert client.call("POST", "/evidence", body=EVIDENCE, key="r" * 16)["operation"]["kind"] == "evidence.record"


def test_an_accepted_write_names_its_operation(house: House) -> None:
    headers = {"Authorization": f"Bearer {token(house)}", "Idempotency-Key": "k" * 16}
    made = house.as_organisation(house.world.platform)
    body = json.dumps(EVIDENCE).encode()
    signed = made._headers("POST", URL + "/api/v1/evidence", body, "k" * 16)
    answer = house.http().post("/api/v1/evidence", content=body, headers=signed)
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/v1/operations/{answer.json()['operation']['id']}")
    foreign = house.http().get(answer.headers["location"], headers=headers)
    assert foreign.status_code == 404
    assert made.wait(_operation(answer.json())).state == "succeeded"


def _operation(answer: dict[str, object]):  # type: ignore[no-untyped-def]
    from gateway.operation.schemas import Accepted

    return Accepted.model_validate(answer)


def test_a_large_body_is_refused_before_it_is_read_whole(house: House) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(64):
            sent += 1
            yield b"x" * 1_000_000

    answer = house.http().post("/api/v1/sessions", content=endless(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    declared = house.http().post("/api/v1/sessions", content=b"x" * 2_000_000)
    assert declared.status_code == 413
    assert count(house, outbox.Operation) <= 1


def test_rates_are_per_caller(house: House) -> None:
    limits = house.gateway.settings.gateway
    first, second = token(house), token(house)
    limits.requests_per_minute = 3
    statuses = [
        house.http().get("/api/v1/sessions/current", headers={"Authorization": f"Bearer {first}"}).status_code for _ in range(4)
    ]
    assert statuses == [200, 200, 200, 429]
    other = house.http().get("/api/v1/sessions/current", headers={"Authorization": f"Bearer {second}"})
    assert other.status_code == 200
    limits.open_requests_per_minute = 2
    answers = [house.http().post("/api/v1/sessions/challenges", json={"keyid": "subject:" + DIGEST}) for _ in range(3)]
    assert [a.status_code for a in answers] == [201, 201, 429]
    assert int(answers[2].headers["retry-after"]) > 0
    assert house.http().get("/api/v1/health").status_code == 200


@pytest.mark.parametrize(
    ("asked", "language"), [("zh-CN,zh;q=0.9", "zh"), ("en-GB", "en"), ("fr, en;q=0.5", "en"), ("", "zh"), ("fr", "zh")]
)
def test_refusals_speak_the_callers_language(house: House, asked: str, language: str) -> None:
    answer = house.http().get("/api/v1/notices", headers={"Accept-Language": asked})
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == language
    assert body["detail"] == body["text"][language]
    assert body["type"] == "urn:healthtrust:problem:unauthenticated"
    assert (body["status"], body["request"]) == (401, answer.headers["x-request-id"])
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("POST", "/api/v1/sessions/challenges", b"{", 400, "malformed_json"),
        ("POST", "/api/v1/sessions/challenges", b"[]", 422, "invalid_request"),
        ("POST", "/api/v1/sessions/challenges", b'{"keyid":"subject:0x11","extra":1}', 422, "invalid_request"),
        ("GET", "/api/v1/nowhere", b"", 404, "not_found"),
        ("PUT", "/api/v1/sessions", b"{}", 405, "method_not_allowed"),
    ],
)
def test_every_refusal_is_a_problem(house: House, method: str, path: str, content: bytes, status: int, code: str) -> None:
    answer = house.http().request(method, path, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_was_sent_is_not_repeated(house: House) -> None:
    body = {"id_number": ID_NUMBER, "name": "", "code": ID_NUMBER * 9, ID_NUMBER: 1}
    answer = house.http().post("/api/v1/identities/enrolments", json=body)
    assert answer.status_code == 422
    assert ID_NUMBER not in answer.text.replace(f"body/{ID_NUMBER}", "")


def test_logs_figures_and_database_hold_no_personal_data_and_no_secrets(capsys: pytest.CaptureFixture[str], house: House) -> None:
    resident = enrol(house)
    doctor = house.world.practitioner(house.world.hospital)
    theirs, mine = house.as_practitioner(doctor), house.as_resident(resident)
    theirs.look_up(id_number=ID_NUMBER)
    code = mine.make_code().code
    theirs.look_up(code=code)
    belongings(house)
    activation = house.gateway.registrar.activation_code(resident.subject, 0)
    secret = [ID_NUMBER, NAME, NAME.replace(" ", ""), activation, str(theirs._token), str(mine._token)]
    logs = capsys.readouterr().err
    assert logs.count('"event":"request"') > 10
    for line in logs.splitlines():
        json.loads(line)
    figures = house.http().get("/api/v1/metrics").text
    assert "gateway_requests_total" in figures
    for private in (*secret, code, resident.subject.hex(), doctor.id.hex()):
        assert private not in logs
        assert private not in figures
    house.gateway.engine.dispose()
    stored = b"".join(p.read_bytes() for p in house.home.rglob("gateway.db*"))
    for private in (*secret, code):
        assert private.encode() not in stored


def test_health_says_the_process_runs_and_ready_says_what_does_not(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.ledger.reasons import LedgerError, Reason

    assert house.http().get("/api/v1/ready").json() == {
        "ready": True,
        "parts": {"ledger": "ok", "database": "ok", "outbox": "ok"},
    }

    def away() -> None:
        raise LedgerError(Reason.BEHIND)

    monkeypatch.setattr(house.gateway.ledger, "head", away)
    answer = house.http().get("/api/v1/ready")
    assert (answer.status_code, answer.json()["parts"]["ledger"]) == (503, "behind")
    assert house.http().get("/api/v1/health").status_code == 200


def test_without_a_ledger_nobody_is_known_and_nothing_is_changed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.ledger.reasons import LedgerError, Reason

    bearer = {"Authorization": f"Bearer {token(house)}"}
    before = count(house, Notice)

    def away() -> None:
        raise LedgerError(Reason.UNREACHABLE)

    monkeypatch.setattr(house.gateway.ledger, "head", away)
    answer = house.http().get("/api/v1/sessions/current", headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (503, "ledger_unavailable")
    assert "retry-after" in answer.headers
    assert count(house, Notice) == before


def test_a_write_survives_a_ledger_that_is_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored before the ledger is touched: the answer is 202 whatever the ledger does, and the worker finishes it."""
    from gateway.operation.tasks import advance

    client = house.as_organisation(house.world.platform)
    kept = house.gateway.kick
    house.gateway.kick = lambda: None
    accepted = _operation(client.call("POST", "/evidence", body=EVIDENCE))
    assert client.operation(accepted.operation.id).state == "initialised"
    house.gateway.kick = kept
    advance(house.gateway)
    assert client.operation(accepted.operation.id, wait=2).state == "succeeded"


def test_waiting_for_an_operation_ends_in_time(house: House) -> None:
    client = house.as_organisation(house.world.platform)
    house.gateway.kick = lambda: None
    accepted = _operation(client.call("POST", "/evidence", body=EVIDENCE))
    began = time.monotonic()
    assert client.operation(accepted.operation.id, wait=0.5).state == "initialised"
    assert time.monotonic() - began > 0.4


def test_a_node_that_came_back_older_is_not_believed_until_all_is_back(house: House) -> None:
    """Nobody is let in and nothing is answered from the difference; the worker puts the acknowledged writes on again."""
    from core.hexes import to_hex
    from gateway.worker import sweep
    from tests.scenarios.test_story import scope_for

    world = house.world
    resident, doctor = world.resident(), world.practitioner(world.hospital)
    mine = house.as_resident(resident)
    height = world.ledger.head().height
    artefact, accepted = mine.grant(scope_for(house, resident, doctor, "laboratory"))
    mine.wait(accepted)
    kick, house.gateway.kick = house.gateway.kick, lambda: None
    world.chain.chain.rewind(height)  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="ledger_unavailable"):
        mine.consents()
    assert house.http().get("/api/v1/ready").status_code == 503
    house.gateway.kick = kick

    def healed() -> bool:
        sweep(house.gateway)
        return house.http().get("/api/v1/ready").status_code == 200

    until(healed)
    assert [(c.consent, c.status) for c in mine.consents().items] == [(to_hex(artefact.consent), "active")]


def test_the_interface_description_needs_nobody_else(house: House) -> None:
    """The page, its script and its style come from here; nothing in it points elsewhere."""
    http = house.http()
    page = http.get("/api/v1/docs").text
    assert "://" not in page
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(named) == 3
    for path in (*named, "/api/v1/openapi.json"):
        assert http.get(path).status_code == 200, path
    assert '"validatorUrl": null' in page


def test_answers_are_never_compressed(house: House) -> None:
    """Their length must not tell how alike a secret in them and something a stranger chose are (BREACH)."""
    answer = house.http().get("/api/v1/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert int(answer.headers["content-length"]) == len(answer.content) > 10_000
    assert "content-encoding" not in answer.headers
