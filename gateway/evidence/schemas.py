"""Bodies of /evidence."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from gateway.types import Model, Word


class EvidenceIn(Model):
    """A digest of something kept elsewhere (a log, a report, a release)."""

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9/-]{2,31}$")]
    digest: Word


class EvidenceOut(Model):
    """One thing that happened, and how to check that it is in the batch on the ledger."""

    id: str
    kind: str
    by: str
    content: dict[str, Any]
    salt: Word
    created: int
    root: str | None = Field(None, description="Root of its batch, once there is one")
    operation: str | None = None


class EvidencePage(Model):
    """Newest first."""

    items: list[EvidenceOut]
    next: str | None = None
