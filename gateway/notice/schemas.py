"""Bodies of /notices."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gateway.types import Model


class NoticeOut(Model):
    """One notice. ``kind``: access-request, access-answer, lookup, reading, consent-granted, consent-amended, consent-revoked,
    consent-expiring, key-changed."""

    id: str
    kind: str
    created: int
    read: bool
    about: str | None = Field(None, description="Id of the thing it is about")
    data: dict[str, Any] = Field(description="Ids and codes")


class NoticePage(Model):
    """Newest first."""

    items: list[NoticeOut]
    unread: int
    next: str | None = None
