"""The mirror over HTTP: nobody but auditors, and the same answers as in process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from core.errors import HealthTrustError
from gateway.settings import Settings
from mirror.compare import digest_at
from mirror.loop import Follower
from mirror.router import open_live, router
from mirror.sight import EVERYTHING, Sight
from tests.mirror.support import follower, told


@pytest.fixture
def live(tmp_path: Path) -> Follower:
    made = follower(told(4, 40), f"sqlite:///{tmp_path / 'mirror.db'}")
    made.catch_up()
    return made


@pytest.fixture
def client(live: Follower, tmp_path: Path) -> Iterator[TestClient]:
    def require_auditor(request: Request) -> None:
        if request.headers.get("authorization") != "auditor":
            raise HTTPException(403)

    def sight_of(request: Request) -> Sight:
        who = request.headers.get("authorization", "")
        if who.startswith("organisation:"):
            return Sight(bytes.fromhex(who.partition(":")[2]))
        require_auditor(request)
        return EVERYTHING

    def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HealthTrustError)
        return JSONResponse(error.problem(), error.status)

    settings = Settings(home=tmp_path, mirror={"database": live.database.engine.url.render_as_string(hide_password=False)})
    app = FastAPI()
    app.add_exception_handler(HealthTrustError, refused)
    app.include_router(router(open_live(settings), require_auditor, sight_of, live.ledger))
    with TestClient(app, headers={"authorization": "auditor"}) as client:
        yield client


@pytest.mark.parametrize(
    "path",
    ["status", "compare?at=1:00", "agreement", "trace/" + "11" * 32, "prov/" + "11" * 32, "find/0x" + "11" * 32, "tables/event"],
)
def test_only_auditors(path: str, client: TestClient) -> None:
    assert client.get(f"/mirror/{path}").status_code == 200
    assert client.get(f"/mirror/{path}", headers={"authorization": "doctor"}).status_code == 403


def test_status(client: TestClient, live: Follower) -> None:
    status = client.get("/mirror/status").json()
    assert (status["height"], status["head"], status["lag_blocks"], status["lag_seconds"]) == (40, 40, 0, 0.0)
    assert status["digest"] == "0x" + live.cursor.digest.hex()
    assert status["state"] == "never ran"


def test_status_shows_the_lag(client: TestClient, live: Follower) -> None:
    live.ledger.extend([])  # type: ignore[attr-defined]
    live.ledger.extend([])  # type: ignore[attr-defined]
    status = client.get("/mirror/status").json()
    assert (status["height"], status["head"], status["lag_blocks"]) == (40, 42, 2)
    assert status["lag_seconds"] > 0


def test_compare(client: TestClient, live: Follower) -> None:
    mine = (digest_at(live.database, 20) or b"").hex()
    assert client.get("/mirror/compare", params={"at": [f"20:0x{mine}"]}).json()["agree"] is True
    answer = client.get("/mirror/compare", params={"at": [f"20:{mine}", "30:" + "00" * 32]}).json()
    assert (answer["agree"], answer["first_difference"]) == (False, 30)
    assert client.get("/mirror/compare", params={"at": "nonsense"}).status_code == 400
    assert client.get("/mirror/compare", params={"at": ["1:00"] * 65}).status_code == 422


def test_tables_and_trace(client: TestClient) -> None:
    page = client.get("/mirror/tables/event", params={"event": "ConsentGranted", "limit": 2}).json()
    assert len(page["rows"]) == 2
    more = client.get("/mirror/tables/event", params={"event": "ConsentGranted", "limit": 2, "cursor": page["next"]}).json()
    assert more["rows"][0]["position"] > page["rows"][1]["position"]
    transaction = page["rows"][0]["transaction_id"]
    trace = client.get(f"/mirror/trace/{transaction}").json()
    assert "granted" in [n["type"] for n in trace["nodes"]]
    assert client.get("/mirror/trace/nonsense").status_code == 400
    assert client.get("/mirror/tables/nothing").json()["code"] == "table_unknown"


@pytest.mark.parametrize("path", ["status", "compare?at=1:00", "agreement", "trace/" + "11" * 32, "tables/event"])
def test_a_database_that_fails_is_a_refusal(
    path: str, client: TestClient, live: Follower, capsys: pytest.CaptureFixture[str]
) -> None:
    """503 and what to do, in both languages; file names and the driver's words stay in the log."""
    with live.database.engine.begin() as connection:
        for table in ("block", "event", "mention", "cursor"):
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}")
    capsys.readouterr()
    answer = client.get(f"/mirror/{path}")
    assert (answer.status_code, answer.json()["code"]) == (503, "mirror_unavailable")
    assert set(answer.json()["detail"]) == {"zh", "en"}
    assert "mirror.db" not in answer.text
    out, err = capsys.readouterr()
    assert "no such table" in out + err


def test_an_organisation_sees_its_own_rows_and_a_file_of_them(client: TestClient) -> None:
    batches = client.get("/mirror/tables/batch", params={"limit": 1000, "total": True}).json()
    assert batches["total"] == len(batches["rows"]) > 1
    one = batches["rows"][0]["organisation"]
    mine = {"headers": {"authorization": f"organisation:{one[2:]}"}}
    own = client.get("/mirror/tables/batch", params={"total": True, "fields": "root,organisation"}, **mine).json()
    assert own["rows"] == [{"root": r["root"], "organisation": one} for r in batches["rows"] if r["organisation"] == one]
    assert (own["total"], own["columns"]) == (len(own["rows"]), ["root", "organisation"])
    file = client.get("/mirror/tables/batch", params={"format": "csv", "fields": "root,organisation"}, **mine)
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert file.text.splitlines() == ["root,organisation", *(f"{r['root']},{one}" for r in own["rows"])]
    for path in ("status", "agreement", "trace/" + one):
        assert client.get(f"/mirror/{path}", **mine).status_code == 403
    blocks = client.get("/mirror/tables/block", **mine).json()
    assert blocks["columns"] == ["height", "hash", "parent", "time"]
    for question in ({"sort": "digest"}, {"digest": "0x" + "00" * 32}, {"fields": "events"}, {"fields": "nothing"}):
        assert client.get("/mirror/tables/block", params=question, **mine).json()["code"] == "column_unknown"
    assert client.get("/mirror/tables/batch", params={"format": "parquet"}).status_code == 422
