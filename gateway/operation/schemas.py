"""Bodies of /operations."""

from __future__ import annotations

from pydantic import Field

from gateway.types import Model


class OperationOut(Model):
    """A write on its way to the ledger."""

    id: str
    kind: str
    state: str = Field(description="initialised (stored), pending (sent), succeeded or failed (both final)")
    transaction: str | None = None
    height: int | None = None
    block: str | None = None
    reason: str | None = Field(None, description="Why it failed: one of the ledger's closed reasons")
    detail: str = Field("", description="For `rejected`: the contract's error name")
    created: float
    updated: float


class Accepted(Model):
    """Stored and on its way; `Location` names the operation to wait for."""

    operation: OperationOut
    id: str | None = Field(None, description="What it makes or changes: consent, request, schema …")
