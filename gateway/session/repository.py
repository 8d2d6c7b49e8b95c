"""Rows of sessions, challenges, administrators and nonces."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, bindparam, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gateway.session.models import Challenge, LoginSession, SeenNonce

_OPENED = select(LoginSession.token, LoginSession.keyid, LoginSession.key, LoginSession.heir, LoginSession.used).where(
    LoginSession.token == bindparam("digest")
)


def opened(engine: Engine, digest: bytes) -> Any | None:
    """The columns of the session whose token has this digest, or None. Asked with every request, so as one indexed statement
    without the mapper; never kept, so that a log-out counts at once in every process."""
    with engine.connect() as connection:
        return connection.execute(_OPENED, {"digest": digest}).first()


def take_challenge(db: Session, value: bytes) -> Challenge | None:
    """The challenge, removed: it is used up whatever comes next."""
    found = db.get(Challenge, value)
    if found is not None:
        db.delete(found)
        db.flush()
    return found


def remember_nonce(db: Session, digest: bytes, expires: int) -> bool:
    """Store a nonce for good (commits). False if it was there already."""
    db.add(SeenNonce(digest=digest, expires=expires))
    try:
        db.commit()
    except IntegrityError:
        db.rollback()
        return False
    return True


def forget_old(db: Session, now: int, idle_before: int) -> None:
    """Remove nonces and challenges that are no longer fresh, and sessions idle since ``idle_before``."""
    db.execute(delete(SeenNonce).where(SeenNonce.expires < now))
    db.execute(delete(Challenge).where(Challenge.expires < now))
    db.execute(delete(LoginSession).where(LoginSession.used <= idle_before))


def end_sessions(db: Session, keyid: str) -> None:
    """Log a key out everywhere."""
    db.execute(delete(LoginSession).where(LoginSession.keyid == keyid))
