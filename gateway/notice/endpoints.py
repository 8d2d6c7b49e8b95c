"""/notices: read, mark as read, listen."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Query
from sse_starlette import EventSourceResponse

from gateway.deps import Ctx
from gateway.http import guard, router
from gateway.identity.caller import ORGANISATION, PRACTITIONER, RESIDENT
from gateway.notice import service
from gateway.notice.schemas import NoticeOut, NoticePage
from gateway.stream import LONGEST_SECONDS, resume_point
from gateway.types import Cursor

routes = router("notices", "/notices")
PEOPLE = (RESIDENT, PRACTITIONER, ORGANISATION)


@routes.get("", **guard(*PEOPLE))
def notices(ctx: Ctx, cursor: Cursor | None = None, unread: bool = False) -> NoticePage:
    """The caller's notices, newest first."""
    return service.page(ctx, cursor, unread)


@routes.get("/stream", response_class=EventSourceResponse, **guard(*PEOPLE))
def stream(
    ctx: Ctx,
    last_event_id: Annotated[str | None, Header()] = None,
    seconds: Annotated[float, Query(gt=0, le=LONGEST_SECONDS)] = LONGEST_SECONDS,
) -> EventSourceResponse:
    """New notices as they come (server-sent events; Last-Event-ID resumes)."""
    return EventSourceResponse(service.stream(ctx.gateway, ctx.caller.id, resume_point(last_event_id), seconds), ping=15)


@routes.post("/{id}/read", **guard(*PEOPLE))
def mark_read(ctx: Ctx, id: str) -> NoticeOut:
    """The caller has read it."""
    return service.mark_read(ctx, id)
