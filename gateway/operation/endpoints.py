"""/operations: where a write stands."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from gateway.deps import Ctx
from gateway.http import guard, router
from gateway.identity.caller import ANYONE_KNOWN
from gateway.operation import service
from gateway.operation.schemas import OperationOut

routes = router("operations", "/operations")


@routes.get("/{id}", **guard(*ANYONE_KNOWN))
def operation(ctx: Ctx, id: str, wait: Annotated[float, Query(ge=0, le=30)] = 0) -> OperationOut:
    """The caller's own operation; `wait` seconds for it to become final."""
    return service.wait(ctx, id, wait)
