"""/audit."""

from __future__ import annotations

from gateway.audit import service
from gateway.audit.schemas import LifeIn, LifeOut
from gateway.deps import Ctx
from gateway.http import guard, router
from gateway.identity.caller import ROLE_AUDITOR

routes = router("audit", "/audit")


@routes.post("/lives", **guard(ROLE_AUDITOR))
def life(ctx: Ctx, body: LifeIn) -> LifeOut:
    """What is known of an identifier beside the ledger. A write, because that somebody looked is kept."""
    return service.life(ctx, body.identifier)
