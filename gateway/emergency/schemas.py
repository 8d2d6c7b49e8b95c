"""Bodies of /emergencies (docs/formats.md, Emergency)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from core.emergency import MOST_MINUTES, MOST_REASON
from gateway.types import Model, Signature, Word

State = Literal["waiting", "lapsed", "confirmed", "open", "over", "justified", "unjustified"]


class EmergencyIn(Model):
    """What somebody begins. ``signature``: SM2 of the caller over the emergency-open words; ``seed``: 32 fresh random bytes."""

    scope: dict[str, Any]
    seed: Word
    reason: Annotated[str, StringConstraints(min_length=1, max_length=MOST_REASON)]
    minutes: Annotated[int, Field(ge=1, le=MOST_MINUTES)]
    signature: Signature


class ConfirmIn(Model):
    """``signature``: SM2 of the second person over the same words."""

    signature: Signature


class ReviewIn(Model):
    """What an auditor of another organisation says of it."""

    outcome: Literal["justified", "unjustified"]


class EmergencyOut(Model):
    """An emergency as those it concerns see it. ``state``: waiting for a second person (or lapsed), confirmed, open on the ledger
    until ``ends``, over, or as reviewed; ``overdue``: nobody reviewed it by ``reviewBy``."""

    id: Word
    subject: Word
    organisation: Word
    first: Word
    second: Word | None
    reason: str
    minutes: int
    state: State
    created: int
    expires: int = Field(description="Until when a second person may confirm it")
    ends: int | None
    reviewBy: int | None
    overdue: bool
    reviewedAt: int | None


class EmergencyForSigners(EmergencyOut):
    """With what the second person signs, or, once both have, the artefact that opens the records."""

    message: str | None = Field(description="The words to sign")
    artefact: dict[str, Any] | None = Field(description="For the one who reads, once both have signed")
    opening: dict[str, Any] | None = Field(description="Body of the gate's POST /emergencies, once both have signed")


class EmergencyPage(Model):
    """Newest first."""

    items: list[EmergencyOut]
    next: str | None = None


class SignersPage(Model):
    """Newest first; of the caller's organisation."""

    items: list[EmergencyForSigners]
