"""The edge: what happens to every request before and after its endpoint, in one place.

Admission in this order: request number → body limit → who calls (session or RFC 9421 signature) → rate → role →
transaction → Idempotency-Key.
Then the endpoint; then the answer is stored under the key and everything is committed at once. A route that does not say who may
call it does not come into being (:class:`EdgeRoute` refuses to be made).
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from email.utils import formatdate
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import Forbidden, TooLarge, TooManyRequests, Unauthenticated
from gateway import database
from gateway.deps import Context, Gateway
from gateway.identity.caller import OPEN, ROLES, Caller
from gateway.identity.registry import Glance
from gateway.ledger.reasons import LedgerError
from gateway.operation.models import IdempotentAnswer
from gateway.problem import BadJson, KeyNeeded, KeyReused, render
from gateway.session.service import authenticate

log = structlog.get_logger("gateway")
KEY_HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEY_SHAPE = re.compile(r"[\x21-\x7e]{16,128}")
NUL = rb"\u0000"
"""The one character PostgreSQL keeps in no text, as JSON writes it: refused here, or every free text would have to mind it."""
SMALL_BODY = 1024 * 1024
_KEPT_HEADERS = ("location", "content-type")


def guard(*roles: str, key: bool = True, read: bool = False, cost: int = 1) -> dict[str, Any]:
    """Who may call a route, as keyword arguments of ``@router.get(…)``.

    ``roles``: any one of them suffices. ``key``: a write that needs an Idempotency-Key (GET never does). ``read``: a POST
    that only asks.
    ``cost``: how many requests it counts for in the caller's rate.
    """
    if not roles or not set(roles) <= set(ROLES):
        raise ValueError(f"roles must be among {ROLES}")
    extra: dict[str, Any] = {"x-roles": sorted(roles), "x-idempotent": key and not read, "x-read": read, "x-cost": cost}
    extra["security"] = [] if OPEN in roles else [{"session": []}, {"signature": []}]
    return {"openapi_extra": extra}


class EdgeRoute(APIRoute):
    """A route that passes the edge."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        rules = options.get("openapi_extra") or {}
        if rules.get("x-roles") is None:
            raise ValueError(f"{path}: say who may call it, with guard(…)")
        methods = set(options.get("methods") or ())
        self.writes = not methods <= {"GET", "HEAD"} and not rules["x-read"]
        self.needs_key = self.writes and rules["x-idempotent"]
        if self.needs_key:
            header = {
                "name": KEY_HEADER,
                "in": "header",
                "required": True,
                "schema": {"type": "string", "pattern": KEY_SHAPE.pattern},
            }
            options["openapi_extra"] = {**rules, "parameters": [header]}
        self.roles = frozenset(rules["x-roles"])
        self.cost = int(rules["x-cost"])
        super().__init__(path, _at_once(endpoint), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler between admission and commit."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            body = await request.body() if self.methods != {"GET"} else b""
            if NUL in body:
                raise BadJson
            return await run_in_threadpool(self._visit, inner, request, body)

        return handler

    def _visit(self, inner: Callable[[Request], Coroutine[Any, Any, Response]], request: Request, body: bytes) -> Response:
        """The whole request in one thread: FastAPI by itself would change threads for every step of it, and each change costs
        more than the step."""
        visit = _Visit(self, request, body)
        try:
            stored = visit.enter()
            if stored is not None:
                return stored
            request.state.context = visit.context
            response = _outcome(inner(request))
            visit.conclude(response)
        except Exception as error:
            visit.abandon(error)
            raise
        finally:
            visit.leave()
        return response


def _at_once(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """A synchronous endpoint that FastAPI calls where it is, instead of in another thread: it is in one already."""

    @wraps(endpoint)
    async def called(**arguments: Any) -> Any:
        return endpoint(**arguments)

    return endpoint if iscoroutinefunction(endpoint) else called


def _outcome(work: Coroutine[Any, Any, Response]) -> Response:
    """What a coroutine that waits for nothing returns; there is no event loop in this thread. The body has been read, and
    endpoints and dependencies of our routes are synchronous."""
    try:
        work.send(None)
    except StopIteration as done:
        response: Response = done.value
        return response
    work.close()
    raise RuntimeError("an endpoint or a dependency of it waits for the event loop")


class _Visit:
    """One request between admission and commit. The database is entered last: on SQLite a writer holds the one write lock
    from there on."""

    context: Context

    def __init__(self, route: EdgeRoute, request: Request, body: bytes) -> None:
        gateway: Gateway = request.app.state.gateway
        self.route, self.gateway = route, gateway
        if route.cost:
            gateway.trust.require()
        self.glance = Glance(gateway.registries)
        self.caller = _admitted(gateway, route, request, body, self.glance)
        request.state.caller_kind = self.caller.kind
        self.request_id, self.address = request.state.request_id, address_of(request)
        self.key = request.headers.get(KEY_HEADER, "")
        self.name = self.digest = b""
        self.db: Session | None = None
        if route.needs_key:
            self._digest_key(request, body)

    def _digest_key(self, request: Request, body: bytes) -> None:
        if not KEY_SHAPE.fullmatch(self.key):
            raise KeyNeeded
        owner = self.caller.keyid if self.caller.kind != "open" else f"open:{self.address}"
        # Keyed digests: owner and body may hold an address or an ID number, which a plain hash would not hide.
        self.name = self.gateway.secret_digest("idempotency-key", owner.encode(), self.key.encode())
        target = f"{request.method} {request.url.path}?{request.url.query}"
        self.digest = self.gateway.secret_digest("idempotency-body", target.encode(), body)

    def enter(self) -> Response | None:
        """Open the transaction; the stored answer where this key was used before."""
        self.db = database.writer(self.gateway.engine) if self.route.writes else database.reader(self.gateway.engine)
        now = int(time.time())
        self.context = Context(self.gateway, self.db, self.caller, self.glance, self.request_id, now, self.key, self.address)
        found = self.db.get(IdempotentAnswer, self.name) if self.route.needs_key else None
        if found is None:
            return None
        if found.digest != self.digest:
            raise KeyReused
        return Response(found.body, found.status, {**found.headers, REPLAYED: "true"})

    def conclude(self, response: Response) -> None:
        """Store the answer under its key and commit; then wake the worker if something waits for the ledger."""
        if self.context.location:
            response.headers["Location"] = self.context.location
        if self.route.needs_key:
            headers = {k: v for k, v in response.headers.items() if k in _KEPT_HEADERS}
            self.context.db.add(
                IdempotentAnswer(
                    name=self.name,
                    digest=self.digest,
                    status=response.status_code,
                    headers=headers,
                    body=bytes(response.body),
                    created=self.context.now,
                )
            )
        self.context.db.commit()
        if self.context.wrote:
            self.gateway.kick()

    def abandon(self, error: Exception) -> None:
        """Undo, unless the refusal is one whose traces stay (a counted try)."""
        self.gateway.trust.lose_on(error)
        if self.db is None:
            return
        if getattr(error, "keep", False):
            self.db.commit()
        else:
            self.db.rollback()

    def leave(self) -> None:
        """Give the connection back."""
        if self.db is not None:
            self.db.close()


@dataclass(frozen=True)
class Rule:
    """Who may call, and for how many requests it counts."""

    roles: frozenset[str]
    cost: int = 1


def only(*roles: str) -> Rule:
    """For routers of others that are served beside ours."""
    return Rule(frozenset(roles))


def _admitted(gateway: Gateway, route: EdgeRoute, request: Request, body: bytes, glance: Glance) -> Caller:
    try:
        return admit(gateway, route, request, body, glance)
    except LedgerError as error:
        gateway.trust.lose_on(error)
        raise


def admit(gateway: Gateway, route: EdgeRoute | Rule, request: Request, body: bytes, glance: Glance) -> Caller:
    """Who calls, if they may. Raises Unauthenticated, Forbidden, TooManyRequests."""
    limits = gateway.settings.gateway
    caller = authenticate(gateway, request, body, glance)
    open_caller = caller.kind == "open"
    name = f"open:{address_of(request)}" if open_caller else caller.keyid
    allowed = limits.open_requests_per_minute if open_caller else limits.requests_per_minute
    if not all(gateway.rates.take(name, allowed) for _ in range(route.cost)):
        raise TooManyRequests(retry_after=5)
    if OPEN in route.roles or caller.roles & route.roles:
        return caller
    raise Unauthenticated if open_caller else Forbidden


def address_of(request: Request) -> str:
    """The network address of the caller, for rates only; never stored or logged."""
    return request.client.host if request.client else "unknown"


class Observe:
    """Gives every request its number, counts and times it, and writes one log line: method, route template, status,
    caller's kind."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self.app, self.metrics = app, gateway.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = uuid.uuid4().hex
        began, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *_own_headers(message, state["request_id"])]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            self._record(scope, status, time.perf_counter() - began)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        self.metrics.requests.labels(scope["method"], route, status).inc()
        self.metrics.seconds.labels(scope["method"], route).observe(seconds)
        log.info(
            "request",
            method=scope["method"],
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
            caller=scope["state"].get("caller_kind", "none"),
            request=scope["state"]["request_id"],
        )


def _own_headers(message: Message, request_id: str) -> list[tuple[bytes, bytes]]:
    """Request number, no sniffing; where the answer says nothing of it, that nobody keeps it, and the time, by which phones
    correct their clocks (not every server adds it)."""
    said = {name.lower() for name, _ in message.get("headers", [])}
    own = [(b"x-request-id", request_id.encode()), (b"x-content-type-options", b"nosniff")]
    if b"cache-control" not in said:
        own.append((b"cache-control", b"no-store"))
    if b"date" not in said:
        own.append((b"date", formatdate(usegmt=True).encode()))
    return own


class BodyLimit:
    """Refuses a body over the limit while it streams in, whatever Content-Length says."""

    def __init__(self, app: ASGIApp, large: int, large_paths: tuple[str, ...]) -> None:
        self.app, self.large, self.large_paths = app, large, large_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.large if scope["path"].endswith(self.large_paths) else min(SMALL_BODY, self.large)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > limit:
            await render(Request(scope), TooLarge())(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise TooLarge
            return message

        await self.app(scope, counted, send)


def router(noun: str, prefix: str) -> APIRouter:
    """A router whose every route passes the edge."""
    return APIRouter(prefix=prefix, tags=[noun], route_class=EdgeRoute)
