"""A worker of the bulk path: commits, packs and hashes one batch, and makes its files durable.

Run as ``python -m offchain.intake.bulk_worker``: one task as a JSON line on standard input, one answer line on standard output.
It is a program of its own with few imports, because forking would copy the parent's database connections and multiprocessing
would load the parent's whole program again in each worker. The record key comes over the pipe, never on the command line.

Files of a batch: ``.entries`` (256 bytes each), ``.salts`` (32 bytes each: overwriting one makes that record's commitment
unopenable), and the tree file of :mod:`offchain.trees`.
"""

from __future__ import annotations

import hmac
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue

from core.entry import pack_rows
from core.merkle import leaf_hashes
from core.words import ZERO
from offchain.trees import write_durably, write_tree

_RECORD = b"healthtrust/record/v1\0"


@dataclass(frozen=True)
class Task:
    """One batch: bytes ``start`` to ``end`` of ``path``, holding ``count`` lines, whose first entry has sequence ``first``.

    ``tree`` and ``flat``: where its files go. ``organisation``, ``key`` (for record ids), ``schema``: hex. ``now``: seconds.
    """

    path: str
    start: int
    end: int
    count: int
    first: int
    tree: str
    flat: str
    organisation: str
    key: str
    name: str
    schema: str
    category: int
    now: int


class WorkerFailed(Exception):
    """A worker ended or could not do its task; its words are in the message. Nothing of the batch was committed."""


class Workers:
    """A number of worker processes for the time of a ``with`` block."""

    def __init__(self, processes: int) -> None:
        self._count = processes
        self._idle: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        self._all: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Workers:
        command = [sys.executable, "-m", "offchain.intake.bulk_worker"]
        for _ in range(self._count):
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._all.append(process)
            self._idle.put(process)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._all:
            process.kill()
        for process in self._all:
            process.communicate()

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, bytes]]:
        """(task, root) in the order of the tasks, a bounded number under way. Raises WorkerFailed."""
        running: deque[tuple[Task, Future[bytes]]] = deque()
        with ThreadPoolExecutor(self._count) as threads:
            for task in tasks:
                running.append((task, threads.submit(self._ask, task)))
                if len(running) > self._count * 2:
                    done, future = running.popleft()
                    yield done, future.result()
            for done, future in running:
                yield done, future.result()

    def _ask(self, task: Task) -> bytes:
        process = self._idle.get()
        try:
            answer = _exchange(process, task)
        finally:
            self._idle.put(process)
        if "root" not in answer:
            raise WorkerFailed(answer.get("error", "the worker ended"))
        return bytes.fromhex(answer["root"])


def index(task: Task) -> bytes:
    """Do one batch; everything is durable when the root is returned."""
    with Path(task.path).open("rb") as file:
        file.seek(task.start)
        data = file.read(task.end - task.start)
    rows = data.split(b"\n")
    rows.pop()
    if len(rows) != task.count:
        raise WorkerFailed(f"{Path(task.path).name} changed while it was read")
    salts = os.urandom(32 * task.count)
    entries = _entries(task, rows, salts)
    del rows, data
    write_durably(Path(f"{task.flat}.salts"), [salts])
    write_durably(Path(f"{task.flat}.entries"), [b"".join(entries)])
    return write_tree(Path(task.tree), leaf_hashes(entries))


def main() -> None:
    """Answer tasks until standard input ends."""
    for line in sys.stdin:
        try:
            answer = {"root": index(Task(**json.loads(line))).hex()}
        except (OSError, WorkerFailed, ValueError) as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


def _exchange(process: subprocess.Popen[str], task: Task) -> dict[str, str]:
    if process.stdin is None or process.stdout is None:
        raise WorkerFailed("the worker has no pipes")
    try:
        process.stdin.write(json.dumps(asdict(task)) + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        return {}
    line = process.stdout.readline()
    answer: dict[str, str] = json.loads(line) if line else {}
    return answer


def _entries(task: Task, rows: list[bytes], salts: bytes) -> list[bytes]:
    digest, key, prefix = hmac.digest, bytes.fromhex(task.key), _RECORD + task.name.encode() + b"\0"
    organisation, schema, category, now = bytes.fromhex(task.organisation), bytes.fromhex(task.schema), task.category, task.now
    at, packed = task.start, []
    for i, row in enumerate(rows):
        record = digest(key, b"%b%d" % (prefix, at), "sm3")
        commitment = digest(salts[32 * i : 32 * i + 32], row, "sm3")
        packed.append((organisation, record, ZERO, commitment, schema, ZERO, task.first + i, 1, category, 0, now, now))
        at += len(row) + 1
    return pack_rows(packed)


if __name__ == "__main__":
    main()
