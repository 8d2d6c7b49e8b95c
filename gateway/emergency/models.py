"""Emergencies: what one person began, another confirmed, and an auditor said of it afterwards."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import WORD, Base


class Emergency(Base):
    """``document``: scope, seed, reason, minutes and the words to sign, as JSON; ``second``: null until another person confirmed;
    ``outcome``: 1 justified, 2 not, null until somebody reviewed it. Its end and its review's date are the ledger's."""

    __tablename__ = "emergency"
    id: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    subject: Mapped[bytes] = mapped_column(WORD)
    organisation: Mapped[bytes] = mapped_column(WORD)
    document: Mapped[str] = mapped_column(Text)
    first: Mapped[bytes] = mapped_column(WORD)
    first_key: Mapped[bytes] = mapped_column(LargeBinary(64))
    first_signature: Mapped[bytes] = mapped_column(LargeBinary(64))
    second: Mapped[bytes | None] = mapped_column(WORD)
    second_key: Mapped[bytes | None] = mapped_column(LargeBinary(64))
    second_signature: Mapped[bytes | None] = mapped_column(LargeBinary(64))
    created: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    outcome: Mapped[int | None] = mapped_column(SmallInteger)
    reviewed_at: Mapped[int | None] = mapped_column(BigInteger)
    __table_args__ = (
        Index("emergency_of_subject", "subject", "position"),
        Index("emergency_of_organisation", "organisation", "position"),
    )
