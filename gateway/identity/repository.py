"""Rows of the directory, tries, tickets, codes and profiles."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from gateway.identity.models import DirectoryEntry, EnrolmentTicket, EnrolmentTry, PatientCode, Profile

TRY_SECONDS = 86400


def count_try(db: Session, lookup: bytes, now: int) -> int:
    """Count one more try on this number (within a day) and return how many there were, this one included."""
    row = db.get(EnrolmentTry, lookup)
    if row is None:
        row = EnrolmentTry(lookup=lookup, count=0, since=now)
        db.add(row)
    if now - row.since >= TRY_SECONDS:
        row.count, row.since = 0, now
    row.count += 1
    db.flush()
    return row.count


def clear_tries(db: Session, lookup: bytes) -> None:
    """Forget the tries after a success."""
    db.execute(delete(EnrolmentTry).where(EnrolmentTry.lookup == lookup))


def profiles(db: Session, practitioners: list[bytes]) -> dict[bytes, Profile]:
    """Profiles of these practitioners, by id."""
    rows = db.scalars(select(Profile).where(Profile.practitioner.in_(practitioners)))
    return {row.practitioner: row for row in rows}


_PROFILE = select(*Profile.__table__.columns).where(Profile.practitioner == bindparam("practitioner"))


def profile(db: Session, practitioner: bytes) -> Any | None:
    """The columns of one practitioner's profile, without the mapper: pages ask for one after the other."""
    return db.connection().execute(_PROFILE, {"practitioner": practitioner}).first()


def entry_of(db: Session, lookup: bytes) -> DirectoryEntry | None:
    """Directory entry of a lookup digest."""
    return db.get(DirectoryEntry, lookup)


def forget_old(db: Session, now: int) -> None:
    """Remove codes, tickets and tries whose time is over."""
    db.execute(delete(PatientCode).where(PatientCode.expires < now))
    db.execute(delete(EnrolmentTicket).where(EnrolmentTicket.expires < now - TRY_SECONDS))
    db.execute(delete(EnrolmentTry).where(EnrolmentTry.since < now - TRY_SECONDS))
