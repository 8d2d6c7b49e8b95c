"""A load client that costs little itself: prepared bytes over kept-alive connections, on raw asyncio protocols.

``closed``: every connection sends its next request when the answer came. ``open``: requests start on a schedule, whatever
the answers do, and latency counts from the scheduled moment (no coordinated omission).
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import uvloop


@dataclass(frozen=True)
class Result:
    """``seconds``: wall time; ``latencies``: seconds, ascending; ``statuses``: how many of each; ``bytes``: of all answers."""

    seconds: float
    latencies: list[float]
    statuses: dict[int, int]
    bytes: int

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.statuses.get(200, 0) / self.seconds

    @property
    def errors(self) -> int:
        """Answers other than 200, and requests without one."""
        return sum(n for status, n in self.statuses.items() if status != 200)

    def percentile(self, share: float) -> float:
        """Latency in milliseconds that this share stayed under."""
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))] * 1000


class Connection(asyncio.Protocol):
    """One kept-alive connection; ``answer`` is set while a request is under way."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._wanted = -1
        self._answer: asyncio.Future[tuple[int, int]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes) -> asyncio.Future[tuple[int, int]]:
        """Send prepared bytes; resolves to (status, length)."""
        self._answer = asyncio.get_running_loop().create_future()
        self._wanted = -1
        self._buffer.clear()
        cast(asyncio.Transport, self._transport).write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        """Collect until the announced length is there."""
        self._buffer += data
        if self._wanted < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            at = self._buffer.lower().find(b"content-length:", 0, end)
            if at >= 0:
                self._wanted = end + 4 + int(self._buffer[at + 15 : self._buffer.find(b"\r\n", at)])
            elif self._buffer.endswith(b"\r\n0\r\n\r\n"):  # chunked; what peers answer holds no such bytes
                self._wanted = len(self._buffer)
        if 0 <= self._wanted <= len(self._buffer) and self._answer is not None and not self._answer.done():
            self._answer.set_result((int(self._buffer[9:12]), self._wanted))

    def connection_lost(self, error: Exception | None) -> None:
        """A request under way has no answer."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((0, 0))

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


def post(host: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A prepared POST."""
    lines = [f"POST {path} HTTP/1.1", f"host: {host}", f"content-length: {len(body)}", "content-type: application/json"]
    lines += [f"{name.lower()}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def get(host: str, path: str) -> bytes:
    """A prepared GET."""
    return f"GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()


def closed(port: int, requests: Sequence[bytes], connections: int, seconds: float, repeat: bool = False) -> Result:
    """Run in a process of its own. ``repeat``: start over when the requests are used up (only for requests that may come
    twice)."""
    return _elsewhere(_closed, port, requests, connections, seconds, repeat)


def scheduled(port: int, requests: Sequence[bytes], connections: int, rate: float) -> Result:
    """All requests at this rate a second."""
    return _elsewhere(_open, port, requests, connections, rate)


def at_once(port: int, requests: Sequence[bytes]) -> Result:
    """All requests at the same moment, each on a connection of its own."""
    return _elsewhere(_open, port, requests, len(requests), 1e9)


def _elsewhere(work: Any, *arguments: Any) -> Result:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(theirs, work, arguments))
    process.start()
    theirs.close()
    result: Result = ours.recv()
    process.join()
    return result


def _child(pipe: Any, work: Any, arguments: tuple[Any, ...]) -> None:
    pipe.send(uvloop.run(work(*arguments)))


async def _connect(port: int, count: int) -> list[Connection]:
    loop = asyncio.get_running_loop()
    made: list[Connection] = []
    for at in range(0, count, 100):
        opening = [loop.create_connection(Connection, "127.0.0.1", port) for _ in range(min(100, count - at))]
        made += [protocol for _, protocol in await asyncio.gather(*opening)]
    return made


class _Tally:
    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}
        self.bytes = 0

    def add(self, since: float, answer: tuple[int, int]) -> None:
        self.latencies.append(time.perf_counter() - since)
        self.statuses[answer[0]] = self.statuses.get(answer[0], 0) + 1
        self.bytes += answer[1]

    def result(self, seconds: float) -> Result:
        return Result(seconds, sorted(self.latencies), self.statuses, self.bytes)


async def _closed(port: int, requests: Sequence[bytes], connections: int, seconds: float, repeat: bool) -> Result:
    waiting, tally = deque(requests), _Tally()
    opened = await _connect(port, connections)
    began = time.perf_counter()

    async def run(connection: Connection) -> None:
        while waiting and time.perf_counter() - began < seconds:
            request = waiting.popleft()
            if repeat:
                waiting.append(request)
            since = time.perf_counter()
            tally.add(since, await connection.send(request))

    await asyncio.gather(*map(run, opened))
    took = time.perf_counter() - began
    for connection in opened:
        connection.close()
    return tally.result(took)


async def _open(port: int, requests: Sequence[bytes], connections: int, rate: float) -> Result:
    free, tally = deque(await _connect(port, connections)), _Tally()
    released = asyncio.Event()
    began = time.perf_counter()

    async def run(request: bytes, due: float) -> None:
        while not free:
            released.clear()
            await released.wait()
        connection = free.popleft()
        tally.add(due, await connection.send(request))
        free.append(connection)
        released.set()

    tasks = []
    for n, request in enumerate(requests):
        due = began + n / rate
        pause = due - time.perf_counter()
        if pause > 0.0005:
            await asyncio.sleep(pause)
        tasks.append(asyncio.create_task(run(request, due)))
    await asyncio.gather(*tasks)
    took = time.perf_counter() - began
    for connection in free:
        connection.close()
    return tally.result(took)
