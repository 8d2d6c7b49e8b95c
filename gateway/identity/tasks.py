"""Housekeeping of identities."""

from __future__ import annotations

import time

from gateway import database
from gateway.deps import Gateway
from gateway.identity.repository import forget_old


def forget(gateway: Gateway) -> None:
    """Drop codes, tickets and tries whose time is over."""
    with database.writer(gateway.engine) as db:
        forget_old(db, int(time.time()))
        db.commit()
