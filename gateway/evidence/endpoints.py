"""/evidence."""

from __future__ import annotations

from gateway.deps import Ctx
from gateway.evidence import service
from gateway.evidence.schemas import EvidenceIn, EvidencePage
from gateway.http import guard, router
from gateway.identity.caller import ADMINISTRATOR, ORGANISATION, PRACTITIONER, ROLE_AUDITOR
from gateway.operation.schemas import Accepted
from gateway.types import Cursor

routes = router("evidence", "/evidence")


@routes.get("", **guard(PRACTITIONER, ORGANISATION, ROLE_AUDITOR, ADMINISTRATOR))
def evidence(ctx: Ctx, cursor: Cursor | None = None) -> EvidencePage:
    """What the caller caused (auditors: all), with salts and roots to check it."""
    return service.page(ctx, cursor)


@routes.post("", status_code=202, **guard(ORGANISATION, ADMINISTRATOR))
def record(ctx: Ctx, body: EvidenceIn) -> Accepted:
    """Put a digest on the ledger."""
    return service.record(ctx, body)
