"""Tables of evidence: what happened here, with a salted digest that goes on the ledger in batches."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import SERIAL, WORD, Base


class EvidenceBatch(Base):
    """Rows anchored together: the root over their leaves, and the write that puts it on the ledger."""

    __tablename__ = "evidence_batch"
    id: Mapped[int] = mapped_column(SERIAL, primary_key=True)
    root: Mapped[bytes] = mapped_column(WORD)
    operation: Mapped[str] = mapped_column(String(64))
    created: Mapped[int] = mapped_column(BigInteger)


class Evidence(Base):
    """One thing that happened. ``content``: ids and codes only; leaf data = HMAC-SM3(salt, RFC 8785 of the content)."""

    __tablename__ = "evidence"
    id: Mapped[int] = mapped_column(SERIAL, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    by: Mapped[str] = mapped_column(String(90))
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    salt: Mapped[bytes] = mapped_column(WORD)
    created: Mapped[int] = mapped_column(BigInteger)
    batch: Mapped[int | None] = mapped_column(ForeignKey("evidence_batch.id"), index=True)
    __table_args__ = (Index("evidence_of", "by", "kind", "created"),)
