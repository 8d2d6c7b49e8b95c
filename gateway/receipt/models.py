"""Receipts as the gates hand them in, so that residents can see who has read."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import SERIAL, WORD, Base


class ReceiptCopy(Base):
    """One receipt (docs/formats.md §7). ``receipt``: its canonical text; ``hash``: SM3 of it."""

    __tablename__ = "receipt_copy"
    id: Mapped[int] = mapped_column(SERIAL, primary_key=True)
    store: Mapped[bytes] = mapped_column(WORD)
    number: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(WORD)
    previous: Mapped[bytes] = mapped_column(WORD)
    subject: Mapped[bytes] = mapped_column(WORD)
    requester: Mapped[bytes] = mapped_column(WORD)
    outcome: Mapped[str] = mapped_column(String(12))
    time: Mapped[int] = mapped_column(BigInteger)
    receipt: Mapped[str] = mapped_column(Text)
    salt: Mapped[bytes] = mapped_column(WORD)
    __table_args__ = (
        UniqueConstraint("store", "number"),
        Index("receipt_of_subject", "subject", "time", "id"),
        Index("receipt_of_requester", "requester", "time", "id"),
    )
