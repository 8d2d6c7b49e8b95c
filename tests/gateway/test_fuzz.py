"""Anything the published interface allows, and much it does not: no caller gets a server error, every refusal is a problem."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from gateway.client import GatewayClient
from gateway.session.service import create_administrator
from tests.gateway.house import House, build_house
from tests.support.chains import DoubleChain

SECONDS = 30
ENOUGH = 200
STREAMS = ("/events", "/notices/stream")
ENDS_SESSION = ("DELETE", "/api/v1/sessions")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    chain = DoubleChain()
    made = build_house(chain, tmp_path / "home")
    yield made
    made.close()
    chain.close()


def callers(house: House) -> list[GatewayClient]:
    world = house.world
    create_administrator(house.gateway, "ops", "a password of length")
    administrator = house.open()
    administrator.log_in_with_password("ops", "a password of length")
    people = [
        house.as_resident(world.resident()),
        house.as_practitioner(world.practitioner(world.operator, ("physician", "auditor"))),
    ]
    return [house.open(), administrator, *people, house.as_organisation(world.platform), house.as_organisation(world.operator)]


def send(client: GatewayClient, case: Any) -> None:
    request = case.as_transport_kwargs(base_url=client.url)
    prepared = client._http.build_request(
        request["method"], request["url"], params=request.get("params"), json=request.get("json"), content=request.get("data")
    )
    own = client._headers(prepared.method, str(prepared.url), prepared.content, secrets.token_hex(12))
    for name, value in own.items():
        prepared.headers[name] = value
    answer = client._http.send(prepared)
    assert answer.status_code != 500, f"{prepared.method} {prepared.url} {prepared.content[:300]!r}: {answer.text[:300]}"
    if answer.status_code >= 400 and not answer.request.url.path.endswith("/ready"):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_request_makes_the_gateway_fail(house: House) -> None:
    document = house.app.openapi()
    schema = schemathesis.openapi.from_dict(document)
    clients = callers(house)
    operations = [o.ok() for o in schema.get_all_operations()]
    operations = [o for o in operations if not o.path.endswith(STREAMS) and (o.method.upper(), o.full_path) != ENDS_SESSION]
    until, tried = time.monotonic() + SECONDS, 0
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    for mode in modes:
        for operation in operations:
            strategy = operation.as_strategy(generation_mode=mode)

            @settings(
                max_examples=3,
                derandomize=True,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=strategy)
            def attempt(case: Any) -> None:
                nonlocal tried
                for client in clients:
                    if tried > ENOUGH and time.monotonic() > until:
                        return
                    tried += 1
                    send(client, case)

            with suppress(Unsatisfiable):  # a route that takes nothing cannot be given something wrong
                attempt()
    assert tried > ENOUGH
