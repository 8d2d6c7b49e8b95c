"""Housekeeping of sessions."""

from __future__ import annotations

import time

from gateway import database
from gateway.deps import Gateway
from gateway.session.repository import forget_old


def forget(gateway: Gateway) -> None:
    """Drop stale nonces, challenges and idle sessions. Safe to run at any time, any number of times."""
    now = int(time.time())
    with database.writer(gateway.engine) as db:
        forget_old(db, now, now - gateway.settings.gateway.session_minutes * 60)
        db.commit()
