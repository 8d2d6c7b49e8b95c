"""The ledger-independent digest of what is authorised (core.authorisations), from the mirror's tables at a block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from core.authorisations import Authorisations, IndexHead, LiveConsent, authorisations
from core.errors import Malformed
from mirror.checkpoint import load
from mirror.database import Database
from mirror.models import BLOCK, position
from mirror.projections.consent import ACTIVE, CONSENT, SPEND
from mirror.projections.index import BATCH


@dataclass(frozen=True)
class Standing:
    """The set as of a block of the mirrored ledger."""

    height: int
    block_digest: bytes
    authorised: Authorisations

    def json(self) -> dict[str, int | str]:
        """For people and for comparison with another ledger's copy."""
        a = self.authorised
        return {
            "height": self.height,
            "mirror_digest": "0x" + self.block_digest.hex(),
            "consents": a.consents,
            "consents_root": "0x" + a.consents_root.hex(),
            "indexes": a.indexes,
            "indexes_root": "0x" + a.indexes_root.hex(),
            "authorisations": "0x" + a.digest.hex(),
        }


def standing(database: Database, height: int | None = None) -> Standing:
    """What is authorised as of ``height`` (None: the mirror's head). Malformed if the mirror does not hold that block."""
    with database.read() as connection:
        found = load(connection)
        if found is None:
            raise Malformed("block_unknown", detail="the mirror is empty")
        at = found[1].height if height is None else height
        block = connection.scalar(sa.select(BLOCK.c.digest).where(BLOCK.c.height == at))
        if block is None:
            raise Malformed("block_unknown", detail=f"the mirror holds blocks up to {found[1].height}, not {at}")
        return Standing(at, bytes(block), authorisations(live_consents(connection, at), _indexes(connection, at)))


def live_consents(connection: sa.Connection, at: int) -> Iterator[LiveConsent]:
    """Consents that are active as of a block, in no order."""
    c, s = CONSENT.table.c, SPEND.table.c
    spent = (
        sa.select(s.consent, sa.func.max(s.uses).label("uses")).where(s.position < position(at + 1, 0)).group_by(s.consent)
    ).subquery()
    in_force = [c.valid_from <= at, sa.or_(c.valid_to.is_(None), c.valid_to > at), c.status == ACTIVE]
    query = (
        sa.select(c.consent, c.subject, c.commitment, c.not_before, c.not_after, c.use_limit, sa.func.coalesce(spent.c.uses, 0))
        .select_from(CONSENT.table.outerjoin(spent, spent.c.consent == c.consent))
        .where(*in_force)
    )
    for row in connection.execute(query):
        yield LiveConsent(bytes(row[0]), bytes(row[1]), bytes(row[2]), *row[3:])


def _indexes(connection: sa.Connection, at: int) -> Iterator[IndexHead]:
    c = BATCH.table.c
    newest = sa.select(c.organisation, sa.func.max(c.position).label("position")).where(c.position < position(at + 1, 0))
    last = newest.group_by(c.organisation).subquery()
    query = sa.select(c.organisation, c.batch, c.first_sequence + c.count, c.root).join(last, last.c.position == c.position)
    for row in connection.execute(query):
        yield IndexHead(bytes(row[0]), row[1] + 1, row[2], bytes(row[3]))
