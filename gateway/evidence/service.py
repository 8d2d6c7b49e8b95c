"""Evidence: kept in the transaction of what it tells of, anchored by the worker in batches.

The ledger sees one root for many rows, each salted: nobody can tell from it that somebody was looked up.
"""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import func, select

from core.hexes import to_bytes, to_hex
from core.words import kind_word
from gateway.deps import Context
from gateway.evidence.models import Evidence, EvidenceBatch
from gateway.evidence.schemas import EvidenceIn, EvidenceOut, EvidencePage
from gateway.identity.caller import ROLE_AUDITOR
from gateway.ledger.port import Call
from gateway.operation import service as operations
from gateway.operation.schemas import Accepted

PAGE = 100


def keep(ctx: Context, kind: str, content: dict[str, Any]) -> None:
    """Keep that this happened. ``content``: ids and codes only."""
    row = Evidence(
        kind=kind, by=ctx.caller.keyid, content=content | {"time": ctx.now}, salt=secrets.token_bytes(32), created=ctx.now
    )
    ctx.db.add(row)


def count_since(ctx: Context, kind: str, since: int) -> int:
    """How many of this kind the caller has caused since then."""
    query = select(func.count()).where(Evidence.by == ctx.caller.keyid, Evidence.kind == kind, Evidence.created >= since)
    return ctx.db.scalar(query) or 0


def record(ctx: Context, body: EvidenceIn) -> Accepted:
    """Put one digest on the ledger at once."""
    call = Call("Evidence", "record", {"kind": kind_word(body.kind), "digest": to_bytes(body.digest)})
    return operations.store(ctx, "evidence.record", call, body.digest)


def page(ctx: Context, cursor: str | None) -> EvidencePage:
    """What the caller caused; auditors see all."""
    query = select(Evidence, EvidenceBatch).outerjoin(EvidenceBatch, Evidence.batch == EvidenceBatch.id)
    query = query.order_by(Evidence.id.desc()).limit(PAGE + 1)
    if ROLE_AUDITOR not in ctx.caller.roles:
        query = query.where(Evidence.by == ctx.caller.keyid)
    if cursor:
        query = query.where(Evidence.id < int(cursor.partition("-")[0]))
    rows = list(ctx.db.execute(query))
    following = str(rows[PAGE - 1][0].id) if len(rows) > PAGE else None
    return EvidencePage(items=[_describe(row, batch) for row, batch in rows[:PAGE]], next=following)


def _describe(row: Evidence, batch: EvidenceBatch | None) -> EvidenceOut:
    return EvidenceOut(
        id=str(row.id),
        kind=row.kind,
        by=row.by,
        content=row.content,
        salt=to_hex(row.salt),
        created=row.created,
        root=to_hex(batch.root) if batch else None,
        operation=batch.operation if batch else None,
    )
