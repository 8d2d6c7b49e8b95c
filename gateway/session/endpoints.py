"""/sessions: log-in by key or password, log-out, who am I."""

from __future__ import annotations

from fastapi import Request

from gateway.deps import Ctx
from gateway.http import guard, router
from gateway.identity.caller import ANYONE_KNOWN, OPEN
from gateway.session import service
from gateway.session.schemas import ChallengeIn, ChallengeOut, LoginIn, PasswordIn, SessionOut

routes = router("sessions", "/sessions")


@routes.post("/challenges", status_code=201, **guard(OPEN, key=False))
def open_challenge(ctx: Ctx, body: ChallengeIn) -> ChallengeOut:
    """Ask for a challenge to sign."""
    return service.open_challenge(ctx, body)


@routes.post("", status_code=201, **guard(OPEN, key=False))
def log_in(ctx: Ctx, body: LoginIn) -> SessionOut:
    """Log in with the signed challenge; one answer for everything that is wrong."""
    return service.log_in(ctx, body)


@routes.post("/password", status_code=201, **guard(OPEN, key=False))
def log_in_with_password(ctx: Ctx, body: PasswordIn) -> SessionOut:
    """Log an administrator in."""
    return service.log_in_with_password(ctx, body)


@routes.get("/current", **guard(*ANYONE_KNOWN))
def current(ctx: Ctx) -> SessionOut:
    """Who the caller is, with today's roles."""
    return service.current(ctx)


@routes.delete("", status_code=204, **guard(*ANYONE_KNOWN, key=False))
def log_out(ctx: Ctx, request: Request) -> None:
    """Log out."""
    service.log_out(ctx, service.bearer(request.headers.get("authorization")))
