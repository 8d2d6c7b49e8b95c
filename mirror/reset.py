"""Back to an earlier block by hand: the follower takes the blocks above in again from the node."""

from __future__ import annotations

import time

from core.errors import ForPeople, Malformed
from mirror import condition
from mirror.checkpoint import Cursor, load
from mirror.database import Database
from mirror.status import SILENT_SECONDS
from mirror.unwind import unwind

#: What a follower that runs says of itself; one that was killed goes silent.
RUNNING = ("starting", "catching up", "following", "waiting")


class FollowerRuns(ForPeople, RuntimeError):
    """A follower writes to this mirror now; it would halt when its database moved under it."""


def reset(database: Database, height: int) -> Cursor:
    """Take out every block above ``height`` (−1: all); where the mirror stands then, which is lower already if it was.

    Raises FollowerRuns, Malformed for an empty mirror or a height below −1, the errors of Database.write.
    """
    if height < -1:
        raise Malformed("block_unknown", detail="there is no block below −1 (before the first)")
    with database.read() as connection:
        found, said = load(connection), condition.read(connection)
    if found is None:
        raise Malformed("block_unknown", detail="the mirror is empty")
    if said is not None and said.state in RUNNING and time.time() - said.seen <= SILENT_SECONDS:
        raise FollowerRuns(f"{database.name}: its follower runs; stop it first (healthtrust down), then start it again")
    cursor = found[1]
    return cursor if cursor.height <= height else unwind(database, cursor, height)
