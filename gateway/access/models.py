"""Requests for access and their answers: signed documents, of which the ledger holds salted commitments."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import WORD, Base


class AccessRequest(Base):
    """A practitioner's signed request. ``subject`` is null until a resident claims an on-site request; ``status``:
    waiting, granted, refused,
    expired, withdrawn. ``document`` and ``answer`` are the signed RFC 8785 texts."""

    __tablename__ = "access_request"
    id: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    subject: Mapped[bytes | None] = mapped_column(WORD)
    requester: Mapped[bytes] = mapped_column(WORD)
    organisation: Mapped[bytes] = mapped_column(WORD)
    status: Mapped[str] = mapped_column(String(10))
    document: Mapped[str] = mapped_column(Text)
    salt: Mapped[bytes] = mapped_column(WORD)
    signature: Mapped[bytes] = mapped_column(LargeBinary(64))
    created: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    expires: Mapped[int] = mapped_column(BigInteger)
    consent: Mapped[bytes | None] = mapped_column(WORD)
    answer: Mapped[str | None] = mapped_column(Text)
    answer_salt: Mapped[bytes | None] = mapped_column(WORD)
    answer_signature: Mapped[bytes | None] = mapped_column(LargeBinary(64))
    __table_args__ = (
        Index("access_request_of_subject", "subject", "position"),
        Index("access_request_of_requester", "requester", "position"),
        Index("access_request_by_expiry", "status", "expires"),
    )
