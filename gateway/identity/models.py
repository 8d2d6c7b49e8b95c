"""Tables: the registrar's directory as digests, enrolment tries and tickets, patients' codes, practitioners' public profiles."""

from __future__ import annotations

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import WORD, Base


class DirectoryEntry(Base):
    """A person who may enrol. ``lookup``, ``name_check``: HMACs under the registrar's key; ``issue``: which activation
    code was used last
    (−1 none), with the operation it led to."""

    __tablename__ = "directory_entry"
    lookup: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    subject: Mapped[bytes] = mapped_column(WORD, index=True)
    name_check: Mapped[bytes] = mapped_column(WORD)
    issue: Mapped[int] = mapped_column(default=-1)
    operation: Mapped[str | None] = mapped_column(String(64))


class EnrolmentTry(Base):
    """Failed tries on an ID number (existing or not), since ``since`` (UTC seconds)."""

    __tablename__ = "enrolment_try"
    lookup: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    count: Mapped[int]
    since: Mapped[int] = mapped_column(BigInteger, index=True)


class EnrolmentTicket(Base):
    """The right to bind one key, for ten minutes. ``ticket``: SM3 of the random value; ``issue``: the activation code that
    earned it."""

    __tablename__ = "enrolment_ticket"
    ticket: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    lookup: Mapped[bytes] = mapped_column(WORD)
    subject: Mapped[bytes] = mapped_column(WORD)
    issue: Mapped[int]
    expires: Mapped[int] = mapped_column(BigInteger, index=True)
    operation: Mapped[str | None] = mapped_column(String(64))


class PatientCode(Base):
    """A short-lived code a resident shows to a doctor. ``code``: keyed digest."""

    __tablename__ = "patient_code"
    code: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    subject: Mapped[bytes] = mapped_column(WORD, index=True)
    expires: Mapped[int] = mapped_column(BigInteger, index=True)


class Profile(Base):
    """What a practitioner's own organisation says of them to patients: professional name, title, department."""

    __tablename__ = "practitioner_profile"
    practitioner: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    organisation: Mapped[bytes] = mapped_column(WORD, index=True)
    name: Mapped[str] = mapped_column(String(100))
    title: Mapped[str] = mapped_column(String(100))
    department: Mapped[str] = mapped_column(String(100))
