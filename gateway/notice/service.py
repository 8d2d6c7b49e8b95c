"""Notices: written in the transaction of what they tell of, read and streamed by their recipient only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from core.errors import NotFound
from gateway import database
from gateway.deps import Context, Gateway
from gateway.notice.models import Notice
from gateway.notice.schemas import NoticeOut, NoticePage
from gateway.stream import ticks

PAGE = 50


def tell(ctx: Context, recipient: str, kind: str, data: dict[str, Any]) -> None:
    """Leave a notice for an id."""
    ctx.db.add(Notice(recipient=recipient, kind=kind, data=data, created=ctx.now))


def page(ctx: Context, cursor: str | None, unread_only: bool) -> NoticePage:
    """The caller's notices, newest first."""
    mine = Notice.recipient == ctx.caller.id
    query = select(Notice).where(mine).order_by(Notice.id.desc()).limit(PAGE + 1)
    if cursor:
        query = query.where(Notice.id < int(cursor.partition("-")[0]))
    if unread_only:
        query = query.where(Notice.read_at.is_(None))
    rows = list(ctx.db.scalars(query))
    unread = ctx.db.scalar(select(func.count()).where(mine, Notice.read_at.is_(None))) or 0
    following = str(rows[PAGE - 1].id) if len(rows) > PAGE else None
    return NoticePage(items=[describe(row) for row in rows[:PAGE]], unread=unread, next=following)


def mark_read(ctx: Context, id: str) -> NoticeOut:
    """The recipient has read it; again is no error."""
    row = ctx.db.get(Notice, int(id)) if id.isdigit() and len(id) < 19 else None
    if row is None or row.recipient != ctx.caller.id:
        raise NotFound
    row.read_at = row.read_at or ctx.now
    return describe(row)


def describe(row: Notice) -> NoticeOut:
    """What the recipient sees."""
    return NoticeOut(
        id=str(row.id),
        kind=row.kind,
        created=row.created,
        read=row.read_at is not None,
        about=row.data.get("about"),
        data=row.data,
    )


async def stream(gateway: Gateway, recipient: str, after: int | None, seconds: float) -> AsyncIterator[dict[str, str]]:
    """New notices as server-sent events; ``after`` = id already seen (None: only what comes from now on)."""
    last = after if after is not None else await run_in_threadpool(_newest, gateway, recipient)
    async for _ in ticks(seconds):
        for row in await run_in_threadpool(_since, gateway, recipient, last):
            last = row.id
            yield {"id": str(row.id), "event": row.kind, "data": orjson.dumps(describe(row).model_dump()).decode()}


def _newest(gateway: Gateway, recipient: str) -> int:
    with database.reader(gateway.engine) as db:
        return db.scalar(select(func.max(Notice.id)).where(Notice.recipient == recipient)) or 0


def _since(gateway: Gateway, recipient: str, last: int) -> list[Notice]:
    with database.reader(gateway.engine) as db:
        return list(_after(db, recipient, last))


def _after(db: Session, recipient: str, last: int) -> list[Notice]:
    query = select(Notice).where(Notice.recipient == recipient, Notice.id > last).order_by(Notice.id).limit(100)
    return list(db.scalars(query))
