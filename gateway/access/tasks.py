"""Requests whose time is over."""

from __future__ import annotations

import time

from sqlalchemy import select

from core.hexes import to_hex
from gateway import database
from gateway.access.models import AccessRequest
from gateway.access.service import EXPIRED, closing
from gateway.deps import Gateway
from gateway.ledger import outbox
from gateway.ledger.port import Call
from gateway.notice.models import Notice


def expire(gateway: Gateway) -> int:
    """Close requests nobody answered in time, here and on the ledger, and tell the requester; returns how many."""
    now = int(time.time())
    with database.writer(gateway.engine) as db:
        query = select(AccessRequest).where(AccessRequest.status == "waiting", AccessRequest.expires <= now).limit(200)
        rows = list(db.scalars(query.with_for_update(skip_locked=True)))
        for row in rows:
            row.status = "expired"
            call = Call("Access", "answer", {"id": row.id, "commitment": closing(row, "expired"), "value": EXPIRED})
            outbox.enqueue(db, f"expire:{row.id.hex()}", "access.expire", call, caller="gateway")
            data = {"about": to_hex(row.id), "answer": "expired"}
            db.add(Notice(recipient=to_hex(row.requester), kind="access-answer", data=data, created=now))
        db.commit()
    return len(rows)
