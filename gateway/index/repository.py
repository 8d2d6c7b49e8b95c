"""Rows of the index."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.entry import TOMBSTONE
from gateway.index.models import IndexRow

MOST_ENTRIES = 20_000


def of_subject(
    db: Session, subject: bytes, category: int | None = None, custodian: bytes | None = None, since: int = 0, until: int = 2**62
) -> list[IndexRow]:
    """A person's records (newest version, not taken back), newest first; at most :data:`MOST_ENTRIES`."""
    query = select(IndexRow).where(IndexRow.subject == subject, IndexRow.latest, IndexRow.flags.op("&")(TOMBSTONE) == 0)
    query = query.where(IndexRow.recorded_at >= since, IndexRow.recorded_at < until)
    if category is not None:
        query = query.where(IndexRow.category == category)
    if custodian is not None:
        query = query.where(IndexRow.organisation == custodian)
    return list(db.scalars(query.order_by(IndexRow.recorded_at.desc(), IndexRow.id.desc()).limit(MOST_ENTRIES)))


def of_record(db: Session, record: bytes) -> IndexRow | None:
    """Newest version of a record."""
    return db.scalar(select(IndexRow).where(IndexRow.record == record).order_by(IndexRow.version.desc()).limit(1))
