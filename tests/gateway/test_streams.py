"""Server-sent events: notices as they come, the ledger's blocks from any block on."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core.hexes import to_hex
from gateway.client import GatewayClient
from gateway.notice import service as notices
from tests.gateway.house import House
from tests.gateway.test_access import ask


def listen(client: GatewayClient, path: str, query: str, last: str = "") -> list[dict[str, Any]]:
    target = f"{client.url}/api/v1{path}?{query}"
    headers = client._headers("GET", target, b"", "") | ({"Last-Event-ID": last} if last else {})
    text = client._http.get(target, headers=headers).text.replace("\r\n", "\n")
    blocks = [dict(line.split(": ", 1) for line in b.split("\n") if ": " in line) for b in text.split("\n\n") if "data: " in b]
    return [{**b, "data": json.loads(b["data"])} for b in blocks]


def test_a_notice_arrives_while_the_page_is_open(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    resident = house.world.resident()
    mine, theirs = house.as_resident(resident), house.as_practitioner(house.world.practitioner(house.world.hospital))
    ask(theirs, resident)
    looked, asking = notices._since, ThreadPoolExecutor(1)

    def ask_after_first_look(*args: Any) -> Any:
        found = looked(*args)
        monkeypatch.setattr(notices, "_since", looked)
        asking.submit(ask, theirs, resident).result()
        return found

    monkeypatch.setattr(notices, "_since", ask_after_first_look)
    heard = listen(mine, "/notices/stream", "seconds=0.4")  # it looks now and once more after half a second
    asking.shutdown()
    assert [e["event"] for e in heard] == ["access-request"]
    resumed = listen(mine, "/notices/stream", "seconds=0.1", last="0")
    assert [e["id"] for e in resumed] == [n.id for n in reversed(mine.notices().items)]
    assert listen(house.as_resident(house.world.resident()), "/notices/stream", "seconds=0.1", last="0") == []


def test_blocks_come_once_each_and_resume_where_the_listener_stopped(house: House) -> None:
    client = house.as_organisation(house.world.platform)
    ledger = house.world.ledger
    everything = [e for block in ledger.events(0, ledger.head().height) for e in block]
    heard = listen(client, "/events", "from=0&seconds=0.1")
    assert [(e["height"], e["index"]) for block in heard for e in block["data"]] == [(e.height, e.index) for e in everything]
    middle = heard[len(heard) // 2]["id"]
    resumed = listen(client, "/events", "from=0&seconds=0.1", last=middle)
    assert [b["id"] for b in heard if int(b["id"]) > int(middle)] == [b["id"] for b in resumed][: len(heard)][: len(resumed)]
    assert all(int(b["id"]) > int(middle) for b in resumed)


def test_blocks_and_transactions_can_be_looked_up(house: House) -> None:
    client = house.as_resident(house.world.resident())
    head = client.block()
    assert client.block(head.hash).height == head.height
    assert client.block(0).hash == to_hex(house.world.ledger.info().genesis)
    events = listen(client, "/events", "from=0&seconds=0.1")
    event = events[-1]["data"][-1]
    found = client.transaction(event["transaction"])
    assert (found.status, found.height) == ("committed", event["height"])
    for path in ("/blocks/999999", "/blocks/0x" + "11" * 32, "/blocks/none", "/transactions/0x" + "11" * 32):
        answer = client._http.get(client.url + "/api/v1" + path, headers=client._headers("GET", "", b"", ""))
        assert answer.status_code == 404, path
