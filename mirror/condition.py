"""How the follower is doing, written where people and the query API can see it even when the follower is down."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from mirror.database import Database
from mirror.models import CONDITION

State = Literal["starting", "catching up", "following", "waiting", "halted", "stopped"]
SEEN_EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Condition:
    """``since`` and ``seen``: UTC seconds when this state began and when the follower last said so; ``unwound``: blocks taken
    out so far."""

    state: State
    detail: str
    since: int
    seen: int
    unwound: int


def read(connection: sa.Connection) -> Condition | None:
    """The last word of the follower, None before it ever ran."""
    row = connection.execute(sa.select(CONDITION)).one_or_none()
    return None if row is None else Condition(row.state, row.detail, row.since, row.seen, row.unwound)


class Reporter:
    """Writes the condition when it changes, and at most every ten seconds while it does not."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last: tuple[str, str] | None = None
        self._written = 0.0

    def report(self, state: State, detail: str = "") -> None:
        """Say how it goes. Raises what Database.write raises."""
        if (state, detail) == self._last and time.monotonic() - self._written < SEEN_EVERY_SECONDS:
            return
        now = int(time.time())
        with self._database.write() as connection:
            before = read(connection)
            since = before.since if before and (before.state, before.detail) == (state, detail) else now
            values = {"state": state, "detail": detail, "since": since, "seen": now}
            if before is None:
                connection.execute(sa.insert(CONDITION).values(id=1, unwound=0, **values))
            else:
                connection.execute(sa.update(CONDITION).values(**values))
        self._last, self._written = (state, detail), time.monotonic()
