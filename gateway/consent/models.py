"""Consents as this gateway relayed them: the signed act, the sealed artefact nobody here can open, and who may fetch it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import WORD, Base


class ConsentAct(Base):
    """One signed act of a subject. ``kind``: grant, amend, revoke; ``old``: what an amendment replaces; ``told``:
    recipients were told that
    the ledger has it (or the subject that it was refused)."""

    __tablename__ = "consent_act"
    operation: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[bytes] = mapped_column(WORD)
    consent: Mapped[bytes] = mapped_column(WORD)
    old: Mapped[bytes | None] = mapped_column(WORD)
    kind: Mapped[str] = mapped_column(String(8))
    nonce: Mapped[int] = mapped_column(BigInteger)
    created: Mapped[int] = mapped_column(BigInteger)
    told: Mapped[bool] = mapped_column(Boolean, index=True)
    __table_args__ = (Index("consent_act_of_subject", "subject", "nonce"),)


class Consent(Base):
    """A consent's public terms (as on the ledger) and its sealed artefact."""

    __tablename__ = "consent"
    consent: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    subject: Mapped[bytes] = mapped_column(WORD)
    not_before: Mapped[int] = mapped_column(BigInteger)
    not_after: Mapped[int] = mapped_column(BigInteger)
    use_limit: Mapped[int] = mapped_column(Integer)
    operation: Mapped[str] = mapped_column(String(64))
    created: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    expiry_told: Mapped[bool] = mapped_column(Boolean)
    sealed: Mapped[str] = mapped_column(Text)
    __table_args__ = (Index("consent_of_subject", "subject", "position"), Index("consent_by_expiry", "expiry_told", "not_after"))


class ConsentRecipient(Base):
    """Somebody a consent's artefact is sealed for."""

    __tablename__ = "consent_recipient"
    recipient: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    consent: Mapped[bytes] = mapped_column(WORD, primary_key=True)
