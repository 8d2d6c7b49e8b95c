"""/access-requests."""

from __future__ import annotations

import io
from typing import Literal

import segno
from fastapi import Response

from gateway.access import service
from gateway.access.schemas import AnswerIn, ClaimIn, RequestIn, RequestMade, RequestOut, RequestPage
from gateway.deps import Ctx
from gateway.http import guard, router
from gateway.identity.caller import PRACTITIONER, RESIDENT
from gateway.operation.schemas import Accepted
from gateway.types import Cursor, Word

routes = router("access", "/access-requests")
State = Literal["waiting", "granted", "refused", "expired", "withdrawn"]


@routes.post("", status_code=202, **guard(PRACTITIONER))
def ask(ctx: Ctx, body: RequestIn) -> RequestMade:
    """Ask a resident (remote), or prepare a request to be scanned (on site)."""
    return service.ask(ctx, body)


@routes.get("", **guard(RESIDENT, PRACTITIONER))
def page(ctx: Ctx, status: State | None = None, cursor: Cursor | None = None) -> RequestPage:
    """The caller's requests, newest first."""
    return service.page(ctx, status, cursor)


@routes.get("/{id}", **guard(RESIDENT, PRACTITIONER))
def one(ctx: Ctx, id: Word) -> RequestOut:
    """One request, for its two parties."""
    return service.one(ctx, id)


@routes.get("/{id}/qr", response_class=Response, responses={200: {"content": {"image/svg+xml": {}}}}, **guard(PRACTITIONER))
def qr(ctx: Ctx, id: Word) -> Response:
    """The picture the resident scans (SVG)."""
    out = io.BytesIO()
    segno.make(service.qr(ctx, id), error="m").save(out, kind="svg", scale=8, xmldecl=False)
    return Response(out.getvalue(), media_type="image/svg+xml")


@routes.post("/{id}/claim", **guard(RESIDENT))
def claim(ctx: Ctx, id: Word, body: ClaimIn) -> RequestOut:
    """Take a scanned on-site request as the caller's own."""
    return service.claim(ctx, id, body)


@routes.post("/{id}/answer", status_code=202, **guard(RESIDENT))
def answer(ctx: Ctx, id: Word, body: AnswerIn) -> Accepted:
    """The resident's signed answer."""
    return service.answer(ctx, id, body)


@routes.post("/{id}/withdrawal", status_code=202, **guard(PRACTITIONER))
def withdraw(ctx: Ctx, id: Word) -> Accepted:
    """The requester takes it back."""
    return service.withdraw(ctx, id)
