"""/emergencies."""

from __future__ import annotations

from gateway.deps import Ctx
from gateway.emergency import service
from gateway.emergency.schemas import ConfirmIn, EmergencyForSigners, EmergencyIn, EmergencyPage, ReviewIn, SignersPage
from gateway.http import guard, router
from gateway.identity.caller import PRACTITIONER, RESIDENT, ROLE_AUDITOR
from gateway.operation.schemas import Accepted
from gateway.types import Cursor, Word

routes = router("emergencies", "/emergencies")


@routes.post("", **guard(PRACTITIONER))
def begin(ctx: Ctx, body: EmergencyIn) -> EmergencyForSigners:
    """Begin a reading without the resident, for emergency treatment; nothing opens before a second person has signed as well."""
    return service.begin(ctx, body)


@routes.get("", **guard(RESIDENT, ROLE_AUDITOR))
def page(ctx: Ctx, cursor: Cursor | None = None) -> EmergencyPage:
    """Emergencies that were opened: about the resident who calls; an auditor sees all, newest first."""
    return service.page(ctx, cursor)


@routes.get("/staff", **guard(PRACTITIONER))
def of_signers(ctx: Ctx) -> SignersPage:
    """What waits for a second person of the caller's organisation, and what the caller signed."""
    return service.of_signers(ctx)


@routes.post("/{id}/confirmation", **guard(PRACTITIONER))
def confirm(ctx: Ctx, id: Word, body: ConfirmIn) -> EmergencyForSigners:
    """The second person signs; the resident is told at once. Then their organisation's gate puts it on the ledger (`opening`)."""
    return service.confirm(ctx, id, body)


@routes.post("/{id}/review", status_code=202, **guard(ROLE_AUDITOR))
def review(ctx: Ctx, id: Word, body: ReviewIn) -> Accepted:
    """An auditor of another organisation says whether it was justified; `unjustified` ends it on the ledger."""
    return service.review(ctx, id, body)
