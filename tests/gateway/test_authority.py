"""Every route against every role, from the published interface: nothing is open, and nobody does what is not theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter

from gateway.client import GatewayClient, GatewayProblem
from gateway.http import EdgeRoute, guard
from gateway.session.service import create_administrator
from tests.gateway.house import House, build_house
from tests.support.chains import DoubleChain

OPEN = {
    "GET /health",
    "GET /ready",
    "GET /metrics",
    "GET /ledger",
    "GET /vocabulary",
    "POST /sessions/challenges",
    "POST /sessions",
    "POST /sessions/password",
    "POST /identities/enrolments",
    "POST /identities/enrolments/{ticket}",
    "GET /identities/enrolments/{ticket}",
    "GET /identities/recoveries/{subject}",
    "POST /identities/recoveries/{subject}/completion",
}
WORD = "0x" + "ab" * 32
Caller = tuple[frozenset[str], GatewayClient]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    chain = DoubleChain()
    made = build_house(chain, Path(tmp_path_factory.mktemp("home")))
    yield made
    made.close()
    chain.close()


@pytest.fixture(scope="module")
def callers(shared: House) -> dict[str, Caller]:
    world = shared.world
    create_administrator(shared.gateway, "ops", "a password of length")
    administrator = shared.open()
    administrator.log_in_with_password("ops", "a password of length")
    clients = {
        "resident": shared.as_resident(world.resident()),
        "doctor": shared.as_practitioner(world.practitioner(world.hospital)),
        "auditor": shared.as_practitioner(world.practitioner(world.operator, ("auditor",))),
        "hospital": shared.as_organisation(world.hospital),
        "registrar": shared.as_organisation(world.operator),
        "administrator": administrator,
    }
    known: dict[str, Caller] = {name: (frozenset(c.who_am_i().roles), c) for name, c in clients.items()}
    return known | {"nobody": (frozenset({"open"}), shared.open())}


def routes(house: House) -> Iterator[tuple[str, str, frozenset[str]]]:
    for path, item in house.app.openapi()["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path.removeprefix("/api/v1"), frozenset(operation["x-roles"])


def attempt(client: GatewayClient, method: str, path: str) -> tuple[int, str]:
    filled = path.replace("{reference}", "head")
    for name in ("ticket", "subject", "practitioner", "id", "record", "consent"):
        filled = filled.replace("{" + name + "}", WORD)
    query = {"seconds": 0.01} if path in ("/events", "/notices/stream") else {}
    answer = client._http.request(
        method,
        client.url + "/api/v1" + filled,
        params=query,
        content=None if method == "GET" else b"{}",
        headers=client._headers(method, _target(client, filled, query), b"" if method == "GET" else b"{}", "k" * 20 + method),
    )
    document: dict[str, Any] = answer.json() if answer.headers.get("content-type", "").startswith("application/problem") else {}
    return answer.status_code, str(document.get("code", ""))


def _target(client: GatewayClient, path: str, query: dict[str, Any]) -> str:
    text = "&".join(f"{k}={v}" for k, v in query.items())
    return client.url + "/api/v1" + path + (f"?{text}" if text else "")


def test_only_these_routes_are_open(shared: House) -> None:
    assert {f"{m} {p}" for m, p, roles in routes(shared) if "open" in roles} == OPEN


@pytest.mark.parametrize("name", ["nobody", "resident", "doctor", "auditor", "hospital", "registrar", "administrator"])
def test_every_route_for_this_caller(shared: House, callers: dict[str, Caller], name: str) -> None:
    roles, client = callers[name]
    tried = 0
    for method, path, allowed in routes(shared):
        if path == "/sessions" and method == "DELETE":
            continue
        status, code = attempt(client, method, path)
        tried += 1
        if allowed & roles or "open" in allowed:
            assert code not in ("unauthenticated", "forbidden"), f"{name} may {method} {path} but got {status}"
        else:
            expected = (401, "unauthenticated") if name == "nobody" else (403, "forbidden")
            assert (status, code) == expected, f"{name} may not {method} {path}"
    assert tried > 50


def test_a_route_that_does_not_say_who_may_call_it_cannot_be_made() -> None:
    def endpoint() -> None: ...

    with pytest.raises(ValueError, match="say who may call it"):
        APIRouter(route_class=EdgeRoute).get("/x")(endpoint)
    with pytest.raises(ValueError, match="roles must be"):
        guard("everybody")


def test_every_route_of_the_application_passes_the_edge(shared: House) -> None:
    paths = {getattr(r, "path", None) for r in shared.app.routes} - {None}
    assert paths == {"/api/v1/openapi.json", "/api/v1/docs", "/api/v1/docs/assets"}
    described = [operation for item in shared.app.openapi()["paths"].values() for operation in item.values()]
    assert all("x-roles" in operation for operation in described)


@pytest.mark.parametrize(
    "read",
    [
        lambda c, ids: c.consent(ids["consent"]),
        lambda c, ids: c.open_artefact(ids["consent"]),
        lambda c, ids: c.entry(ids["record"]),
        lambda c, ids: c.proof(ids["record"]),
        lambda c, ids: c.access_request(ids["request"]),
        lambda c, ids: c.operation(ids["operation"]),
        lambda c, ids: c.mark_read(ids["notice"]),
    ],
)
def test_another_persons_things_are_not_there(house: House, read: Callable[[GatewayClient, dict[str, str]], Any]) -> None:
    ids = belongings(house)
    for stranger in (
        house.as_resident(house.world.resident()),
        house.as_practitioner(house.world.practitioner(house.world.operator)),
    ):
        with pytest.raises(GatewayProblem) as caught:
            read(stranger, ids)
        assert caught.value.code in ("not_found", "forbidden")


def belongings(house: House) -> dict[str, str]:
    """A resident with a record, a consent, a request and a notice."""
    import time

    from tests.scenarios.test_story import scope_for

    world = house.world
    resident, doctor = world.resident(), world.practitioner(world.hospital)
    house.index(world.platform, house.entries(world.platform, resident, ["laboratory"]))
    mine, theirs = house.as_resident(resident), house.as_practitioner(doctor)
    artefact, accepted = mine.grant(scope_for(house, resident, doctor, "laboratory"))
    now = int(time.time())
    asked = theirs.ask(subject="0x" + resident.subject.hex(), purpose="TREAT", reason="r", period=(now, now + 60))
    return {
        "consent": "0x" + artefact.consent.hex(),
        "operation": accepted.operation.id,
        "record": mine.entries().items[0].record,
        "request": asked.id,
        "notice": mine.notices().items[0].id,
    }
