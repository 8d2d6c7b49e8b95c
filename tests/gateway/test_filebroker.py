"""The file broker: whole messages only, each to one worker, bindings of many at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from gateway.filebroker import URL, Channel


@pytest.fixture
def channel(tmp_path: Path) -> Callable[[], Channel]:
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    options = {
        "data_folder_in": f"{tmp_path}/queue",
        "data_folder_out": f"{tmp_path}/queue",
        "control_folder": f"{tmp_path}/control",
    }

    def opened() -> Channel:
        made: Channel = Connection(URL, transport_options=options).channel()
        return made

    return opened


def test_every_message_is_taken_once_and_whole_while_others_write(channel: Callable[[], Channel]) -> None:
    def write(first: int) -> None:
        own = channel()
        for n in range(first, first + 200):
            own._put("sweep", {"n": n, "padding": "x" * 5000})

    def read(_: int) -> list[int]:
        own, found = channel(), list[int]()
        while len(taken) < 600:
            try:
                message: dict[str, Any] = own._get("sweep")
            except Empty:
                continue
            found.append(message["n"])
            taken.append(message["n"])
        return found

    taken: list[int] = []
    with ThreadPoolExecutor(5) as pool:
        readers = [pool.submit(read, n) for n in range(2)]
        for writer in [pool.submit(write, first) for first in (0, 200, 400)]:
            writer.result()
        got = sorted(n for reader in readers for n in reader.result())
    assert got == list(range(600))


def test_messages_come_in_order_and_only_those_of_the_queue(channel: Callable[[], Channel]) -> None:
    own = channel()
    for n in range(3):
        own._put("a", n)
        own._put("b", -n)
    assert [own._get("a") for _ in range(3)] == [0, 1, 2]
    with pytest.raises(Empty):
        own._get("a")
    assert own._size("b") == 3


def test_what_is_not_whole_is_not_seen(channel: Callable[[], Channel], tmp_path: Path) -> None:
    (tmp_path / "queue" / "1_x.a.msg.y.part").write_text('{"hal')
    with pytest.raises(Empty):
        channel()._get("a")


def test_bindings_made_at_once_are_all_kept(channel: Callable[[], Channel]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: channel()._queue_bind("celery", "", "", f"q{n}"), range(40)))
    own = channel()
    assert {b.queue for b in own.get_table("celery")} == {f"q{n}" for n in range(40)}
    own._delete("q7", "celery", "", "")
    assert "q7" not in {b.queue for b in own.get_table("celery")}
