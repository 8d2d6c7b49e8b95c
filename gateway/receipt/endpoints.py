"""/receipts."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from gateway.deps import Ctx
from gateway.http import guard, router
from gateway.identity.caller import PRACTITIONER, RESIDENT, ROLE_AUDITOR, ROLE_CUSTODIAN
from gateway.receipt import service
from gateway.receipt.schemas import ReceiptPage, ReceiptsIn, ReceiptsTaken
from gateway.types import Cursor, Word

routes = router("receipts", "/receipts")


@routes.post("", **guard(ROLE_CUSTODIAN))
def take(ctx: Ctx, body: ReceiptsIn) -> ReceiptsTaken:
    """A gate hands in its receipts."""
    return service.take(ctx, body)


@routes.get("", **guard(RESIDENT, PRACTITIONER, ROLE_CUSTODIAN, ROLE_AUDITOR))
def page(
    ctx: Ctx,
    subject: Word | None = None,
    custodian: Word | None = None,
    cursor: Cursor | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = service.PAGE,
) -> ReceiptPage:
    """Who has read: for the subject, the reader, the store; auditors see all."""
    return service.page(ctx, subject, custodian, cursor, limit)
