"""Celery's messages as files under the home directory, so that the embedded profile needs no broker.

kombu's own transport of this kind makes a message visible before it is written, and rewrites its table of bindings in place: a
worker that looks in between reads half a message and ends. Here both appear whole, by rename. URL: ``files://``.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem

URL = "files://"

Table = list[list[str]]


class Channel(filesystem.Channel):
    """Messages and bindings, each a file that is there whole or not at all."""

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]
        _write_whole(Path(self.data_folder_out, f"{time.time_ns():020}_{uuid.uuid4()}.{queue}.msg"), payload)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for name in sorted(os.listdir(self.data_folder_in)):
            # Half-written and taken messages have another ending.
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            path, taken = Path(self.data_folder_in, name), Path(self.data_folder_in, f"{name}.taken")
            try:
                path.rename(taken)
            except FileNotFoundError:  # another worker was quicker
                continue
            payload = taken.read_bytes()
            taken.unlink()
            return json.loads(payload)
        raise Empty

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        bound = [routing_key or "", pattern or "", queue or ""]
        self._change_table(exchange, lambda table: [bound, *(b for b in table if b != bound)])

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *_: Any, **__: Any) -> None:
        self._purge(queue)  # type: ignore[no-untyped-call]
        bound = [routing_key or "", pattern or "", queue or ""]
        self._change_table(exchange, lambda table: [b for b in table if b != bound])

    def _change_table(self, exchange: str, change: Callable[[Table], Table]) -> None:
        file: Path = self._exchange_file(exchange)  # type: ignore[no-untyped-call]
        with file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _write_whole(file, change([list(b) for b in self.get_table(exchange)]))  # type: ignore[no-untyped-call]


class Transport(filesystem.Transport):
    """kombu's transport of files, with our channel."""

    Channel = Channel


def _write_whole(path: Path, content: Any) -> None:
    part = path.with_name(f"{path.name}.{uuid.uuid4()}.part")
    part.write_text(json.dumps(content), "utf-8")
    part.rename(path)


TRANSPORT_ALIASES["files"] = f"{__name__}:{Transport.__name__}"
