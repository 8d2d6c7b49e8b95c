"""Bodies of /sessions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.types import KeyId, Model, Signature, Word


class ChallengeIn(Model):
    """Who wants to log in."""

    keyid: KeyId


class ChallengeOut(Model):
    """Sign the words of docs/formats.md §10 made with this challenge. The client makes them itself: never sign bytes a
    server sent."""

    challenge: Word
    ledger: Word
    audience: str = Field(description="Public URL of this gateway; its SM3 is one of the words")
    expires: int


class LoginIn(Model):
    """The signed challenge."""

    keyid: KeyId
    challenge: Word
    signature: Signature


class PasswordIn(Model):
    """An administrator's log-in."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class SessionOut(Model):
    """Who you are here. ``subject`` or ``practitioner`` is set for people; ``token`` is shown once."""

    token: str | None = None
    keyid: str
    roles: list[str]
    subject: str | None = None
    practitioner: str | None = None
    organisation: str | None = None
    expires: int = Field(description="UTC seconds; moves on with every use")
