"""Following without a process of its own."""

from __future__ import annotations

from contextlib import closing

from gateway.settings import Settings
from mirror.database import Database
from mirror.loop import Follower
from mirror.run import ledger_of


def follow(settings: Settings) -> None:
    """Bring the mirror of these settings up to the head."""
    with closing(Database(settings.mirror_database())) as database, closing(ledger_of(settings)) as ledger:
        database.prepare()
        follower = Follower(ledger, database, settings.mirror.unwind_blocks, settings.mirror.blocks_per_read)
        while follower.cursor.height < follower.catch_up():
            pass
