"""Table of notices: what somebody should know, by ids only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import SERIAL, Base


class Notice(Base):
    """One notice. ``recipient``: id (``0x`` hex) of a subject, practitioner or organisation; ``data``: ids and codes,
    never names or text."""

    __tablename__ = "notice"
    id: Mapped[int] = mapped_column(SERIAL, primary_key=True)
    recipient: Mapped[str] = mapped_column(String(66))
    kind: Mapped[str] = mapped_column(String(32))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    created: Mapped[int] = mapped_column(BigInteger)
    read_at: Mapped[int | None] = mapped_column(BigInteger)
    __table_args__ = (Index("notice_of_recipient", "recipient", "id"),)
