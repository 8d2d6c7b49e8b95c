"""Plain ASGI for signed requests: read a bounded body, answer JSON, refuse with RFC 9457 problems. The hot route runs on
nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.errors import HealthTrustError, Malformed, MethodNotAllowed, NotFound, TooLarge, place_of
from offchain.gate.admission import Incoming
from offchain.gate.refusals import Refused

log = structlog.get_logger("gate")
MAX_BODY = 2 * 1024 * 1024
JSON_TYPE = (b"content-type", b"application/json")
PROBLEM_TYPE = (b"content-type", b"application/problem+json")
NO_STORE = (b"cache-control", b"no-store")

Answer = tuple[bytes, int | None]
"""Body of a 200, and the number of the receipt to mark as delivered."""


class Gone(Exception):
    """The client went away before it had sent its request, or before the answer."""


class SignedRoute:
    """An ASGI endpoint for one path: ``handle`` gets the request and gives the answer; ``delivered`` is told what was handed
    to the network."""

    def __init__(
        self,
        base: str,
        handle: Callable[[Incoming, Scope], Awaitable[Answer]],
        delivered: Callable[[int], None],
        counted: Callable[[Scope], None],
    ) -> None:
        """``base``: public URL of the service without a slash at its end; what clients sign starts with it. ``counted``: raises
        TooManyRequests where the caller's address has asked too often."""
        self._base = base
        self._handle = handle
        self._delivered = delivered
        self._counted = counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            self._counted(scope)
            incoming = Incoming(scope["method"], target(self._base, scope), _headers(scope), await _body(receive))
        except Gone:
            return
        except HealthTrustError as e:
            await refuse(send, scope, e)
            return
        leaving = asyncio.ensure_future(receive())
        try:
            body, receipt = await self._handle(incoming, scope)
            if leaving.done():
                return
            await _send(send, 200, body, JSON_TYPE)
            if receipt is not None:
                self._delivered(receipt)
        except Exception as e:
            await refuse(send, scope, from_error(e))
        finally:
            leaving.cancel()


def target(base: str, scope: Scope) -> str:
    """The URL the client signed: our public URL and the path and query as they came."""
    path = scope.get("raw_path") or scope["path"].encode()
    query = scope.get("query_string", b"")
    full: bytes = path + b"?" + query if query else path
    return base + full.decode("latin-1")


def from_error(error: Exception) -> HealthTrustError:
    """The refusal an exception stands for. What nobody foresaw is logged by type and place, never with values; nothing is
    handed out."""
    if isinstance(error, HealthTrustError):
        return error
    log.error("failed", error=type(error).__name__, at=place_of(error))
    return HealthTrustError()


async def refuse(send: Send, scope: Scope, error: HealthTrustError) -> None:
    """Answer with a problem document in the caller's language."""
    status, body, headers = _problem(scope, error)
    await _send(send, status, body, PROBLEM_TYPE, *headers)


async def no_route(request: Request, error: Exception) -> Response:
    """The answer where no route is: an unknown path, or a method that the path does not have. Starlette's own is plain text."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    status, body, headers = _problem(request.scope, _NO_ROUTE.get(status, Malformed)(detail="HTTP"))
    allowed = (error.headers or {}) if isinstance(error, HTTPException) else {}
    named = {name.decode(): value.decode() for name, value in (PROBLEM_TYPE, NO_STORE, *headers)}
    return Response(body, status, {**allowed, **named})


_NO_ROUTE: dict[int, type[HealthTrustError]] = {404: NotFound, 405: MethodNotAllowed, 500: HealthTrustError}


def _problem(scope: Scope, error: HealthTrustError) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """Status, body and further headers of a refusal."""
    language = _language(_headers(scope))
    doc = error.problem()
    text = doc.pop("detail")
    doc |= {"detail": text[language], "text": text}
    status = error.http_status if isinstance(error, Refused) else error.status
    pause = error.params.get("retry_after", 2 if status == 503 else None)
    extra = [] if pause is None else [(b"retry-after", str(pause).encode())]
    return status, orjson.dumps(doc), [(b"content-language", language.encode()), *extra]


async def _send(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, NO_STORE, length]})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message: Any = await receive()
        if message["type"] != "http.request":
            raise Gone
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY:
            raise TooLarge
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _language(headers: dict[str, str]) -> str:
    for part in headers.get("accept-language", "").split(","):
        tag = part.strip().lower()[:2]
        if tag in ("zh", "en"):
            return tag
    return "zh"
