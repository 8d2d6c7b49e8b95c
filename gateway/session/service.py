"""Log-in, log-out, and who is behind a request.

A session is a random token, stored as SM3, bound to the key it was opened with. Key and roles are asked of the ledger at
every request,
so a rotated key, a revoked credential or a suspended hospital ends the session with the next block.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from fastapi import Request

from core import crypto
from core.crypto.encoding import parse_signature
from core.errors import Unauthenticated
from core.hexes import to_bytes, to_hex
from gateway import database
from gateway.identity.caller import ADMINISTRATOR, Caller, identify
from gateway.session import repository
from gateway.session.errors import LoginRefused, SessionOver
from gateway.session.message import login_message
from gateway.session.models import Administrator, Challenge, LoginSession
from gateway.session.schemas import ChallengeIn, ChallengeOut, LoginIn, PasswordIn, SessionOut
from gateway.session.signed import SIGNATURE_HEADER, verify_signed

if TYPE_CHECKING:
    from gateway.deps import Context, Gateway
    from gateway.identity.registry import Glance

CHALLENGE_SECONDS = 120
LOCK_AFTER = 5
LOCK_SECONDS = 900
TOUCH_SECONDS = 30
_ARGON = PasswordHasher()
# Verified against when the name is unknown, so that both take the same time.
_NOBODY = _ARGON.hash(secrets.token_hex(16))


def open_challenge(ctx: Context, body: ChallengeIn) -> ChallengeOut:
    """A challenge for any well-formed key id; whether somebody stands behind it is not shown."""
    challenge = secrets.token_bytes(32)
    expires = ctx.now + CHALLENGE_SECONDS
    ctx.db.add(Challenge(value=crypto.sm3(challenge), keyid=body.keyid, expires=expires))
    ledger = to_hex(ctx.ledger.info().ledger_id)
    return ChallengeOut(challenge=to_hex(challenge), ledger=ledger, audience=ctx.settings.gateway.public_url, expires=expires)


def log_in(ctx: Context, body: LoginIn) -> SessionOut:
    """A session for the key that signed the challenge."""
    challenge = to_bytes(body.challenge)
    waiting = repository.take_challenge(ctx.db, crypto.sm3(challenge))
    caller = identify(ctx.registries, body.keyid, ctx.now)
    if waiting is None or waiting.keyid != body.keyid or waiting.expires < ctx.now or caller is None:
        raise LoginRefused
    message = login_message(ctx.ledger.info().ledger_id, ctx.settings.gateway.public_url, body.keyid, challenge)
    if not crypto.sm2_verify(caller.public, message, parse_signature(to_bytes(body.signature, None))):
        raise LoginRefused
    return _open(ctx, caller)


def log_in_with_password(ctx: Context, body: PasswordIn) -> SessionOut:
    """A session for an administrator. Five failures in a row lock the name for a quarter of an hour."""
    found = ctx.db.get(Administrator, body.name)
    right = _password_holds(found.password if found else _NOBODY, body.password)
    if found is None or found.locked_until > ctx.now:
        raise LoginRefused
    if not right:
        found.failures += 1
        if found.failures >= LOCK_AFTER:
            found.failures, found.locked_until = 0, ctx.now + LOCK_SECONDS
        raise LoginRefused
    found.failures = 0
    return _open(ctx, _administrator(body.name))


def log_out(ctx: Context, token: str) -> None:
    """Forget this session."""
    found = ctx.db.get(LoginSession, crypto.sm3(token.encode()))
    if found is not None:
        ctx.db.delete(found)


def current(ctx: Context) -> SessionOut:
    """Who the caller is."""
    return _describe(ctx, ctx.caller, None)


def authenticate(gateway: Gateway, request: Request, body: bytes, glance: Glance) -> Caller:
    """Who is behind a request: a session, a signature, or nobody (an open caller). Raises Unauthenticated when what is
    shown is wrong."""
    authorization = request.headers.get("authorization")
    signed = SIGNATURE_HEADER in request.headers
    if authorization and signed:
        raise Unauthenticated
    if signed:
        return verify_signed(gateway, request, body, glance)
    return _from_token(gateway, bearer(authorization), glance) if authorization else Caller("open")


def bearer(authorization: str | None) -> str:
    """The token of an Authorization header."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise SessionOver
    return token


def hand_over(ctx: Context, public: bytes) -> None:
    """Let the caller's own session live on under the key it hands over to; all others end when the ledger has the new key."""
    row = ctx.db.get(LoginSession, ctx.caller.session) if ctx.caller.session else None
    if row is not None:
        row.heir = crypto.sm3(public)


def create_administrator(gateway: Gateway, name: str, password: str) -> None:
    """Make an administrator, or set a new password and unlock (commits). ValueError for a password under 12 characters."""
    if len(password) < 12:
        raise ValueError("a password has at least 12 characters")
    with database.writer(gateway.engine) as db:
        db.merge(Administrator(name=name, password=_ARGON.hash(password), failures=0, locked_until=0))
        repository.end_sessions(db, f"administrator:{name}")
        db.commit()


def _open(ctx: Context, caller: Caller) -> SessionOut:
    token = secrets.token_urlsafe(32)
    row = LoginSession(
        token=crypto.sm3(token.encode()), keyid=caller.keyid, key=crypto.sm3(caller.public), created=ctx.now, used=ctx.now
    )
    ctx.db.add(row)
    return _describe(ctx, caller, token)


def _describe(ctx: Context, caller: Caller, token: str | None) -> SessionOut:
    return SessionOut(
        token=token,
        keyid=caller.keyid,
        roles=sorted(caller.roles),
        subject=caller.id if caller.kind == "subject" else None,
        practitioner=caller.id if caller.kind == "practitioner" else None,
        organisation=caller.organisation,
        expires=ctx.now + ctx.settings.gateway.session_minutes * 60,
    )


def _from_token(gateway: Gateway, token: str, glance: Glance) -> Caller:
    now = int(time.time())
    row = repository.opened(gateway.engine, crypto.sm3(token.encode()))
    if row is None or row.used + gateway.settings.gateway.session_minutes * 60 <= now:
        raise SessionOver
    caller = _behind(glance, row.keyid, now)
    if caller is None or crypto.sm3(caller.public) not in (row.key, row.heir):
        raise SessionOver
    if now - row.used >= TOUCH_SECONDS:
        _touch(gateway, row.token, now)
    return replace(caller, session=row.token)


def _behind(glance: Glance, keyid: str, now: int) -> Caller | None:
    kind, _, name = keyid.partition(":")
    return _administrator(name) if kind == "administrator" else identify(glance.register, keyid, now)


def _touch(gateway: Gateway, token: bytes, now: int) -> None:
    with database.writer(gateway.engine) as db:
        row = db.get(LoginSession, token)
        if row is not None:
            row.used = now
        db.commit()


def _administrator(name: str) -> Caller:
    return Caller("administrator", name, None, frozenset({ADMINISTRATOR}))


def _password_holds(stored: str, given: str) -> bool:
    try:
        return _ARGON.verify(stored, given)
    except VerificationError:
        return False
