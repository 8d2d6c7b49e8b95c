"""A JSON-RPC node that lies: it passes on what it is asked, and can be told to answer as it did before."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3


class LyingNode:
    """``url``: where it listens. ``forgets``: a contract's address; every question to it that was answered before is answered the
    same again, whatever the chain says now."""

    def __init__(self, real: str) -> None:
        self._real = real
        self._http = urllib3.PoolManager(maxsize=16, retries=False, timeout=60.0)
        self._said: dict[str, Any] = {}
        self.forgets: str | None = None
        lying = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer = lying.answer(json.loads(body))
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def answer(self, asked: Any) -> bytes:
        """The node's answer, with what it said before in the place of what it would say now."""
        told = self._http.request("POST", self._real, json=asked).json()
        calls = asked if isinstance(asked, list) else [asked]
        answers = {one["id"]: one for one in (told if isinstance(told, list) else [told])}
        for call in calls:
            if call["method"] == "eth_call" and "result" in answers[call["id"]]:
                question = json.dumps([call["params"][0].get(name) for name in ("to", "data")])
                if self.forgets == call["params"][0].get("to"):
                    answers[call["id"]]["result"] = self._said.get(question, answers[call["id"]]["result"])
                else:
                    self._said[question] = answers[call["id"]]["result"]
        return json.dumps(told).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@contextmanager
def lying_node(real: str) -> Iterator[LyingNode]:
    """One in front of the node at ``real``."""
    node = LyingNode(real)
    try:
        yield node
    finally:
        node.close()
