"""A second mirror from block 0, to replace a lost one or to check the one in use."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from core.errors import ForPeople
from gateway.ledger.port import Ledger
from gateway.settings import Settings
from mirror.checkpoint import load
from mirror.compare import Difference, compare, compare_databases
from mirror.database import Database
from mirror.loop import Follower
from mirror.models import CURSOR
from mirror.run import ledger_of


class NotEmpty(ForPeople, ValueError):
    """The place to build into already holds a mirror."""


@dataclass(frozen=True)
class Rebuilt:
    """``height`` and ``digest`` of the new mirror; ``difference``: the first block where the mirror in use differs, None if
    nowhere."""

    height: int
    digest: bytes
    difference: Difference | None


def rebuild(settings: Settings, into: str) -> Rebuilt:
    """Build the mirror of the settings' ledger anew into the database ``into`` (SQLAlchemy URL) and compare it with the one in
    use.

    Raises NotEmpty, LedgerError, and what following raises. An interrupted rebuild leaves a usable beginning: remove it and
    start again.
    """
    ledger = ledger_of(settings)
    target, live = Database(into), Database(settings.mirror_database())
    try:
        live.prepare()
        height, digest = build(ledger, target, settings.mirror.unwind_blocks, settings.mirror.blocks_per_read)
        return Rebuilt(height, digest, compare_databases(live, target))
    finally:
        ledger.close()
        target.close()
        live.close()


def compare_with_node(settings: Settings, url: str) -> Difference | None:
    """The first block where a mirror differs from what our own node says, None if nowhere up to the lower head.

    The mirror is built anew aside, from block 0, and removed again; the live one goes on. Raises as :func:`rebuild` does.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="compare-", dir=settings.path("mirror", "x").parent))
        ledger = stack.enter_context(closing(ledger_of(settings)))
        other = f"sqlite:///{folder}/node.db"
        with closing(Database(other)) as target:
            build(ledger, target, settings.mirror.unwind_blocks, settings.mirror.blocks_per_read)
        return compare(url, other)


def build(ledger: Ledger, target: Database, depth: int, blocks_per_read: int) -> tuple[int, bytes]:
    """Follow ``ledger`` into the empty ``target`` up to the head; answers height and digest."""
    target.prepare()
    with target.read() as connection:
        if load(connection) is not None and connection.scalar(sa.select(CURSOR.c.height)) != -1:
            raise NotEmpty(f"{target.name} already holds a mirror: name a new database")
    follower = Follower(ledger, target, depth, blocks_per_read)
    while follower.cursor.height < follower.catch_up():
        pass
    return follower.cursor.height, follower.cursor.digest
