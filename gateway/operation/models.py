"""Tables of writes: answers stored under Idempotency-Keys, and which caller an operation belongs to.

The operations themselves are the outbox's table (:mod:`gateway.ledger.outbox`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import WORD, Base


class IdempotentAnswer(Base):
    """The answer to a write. ``name``: keyed digest of caller and key; ``digest``: keyed digest of method, target and body."""

    __tablename__ = "idempotent_answer"
    name: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    digest: Mapped[bytes] = mapped_column(WORD)
    status: Mapped[int]
    headers: Mapped[dict[str, Any]] = mapped_column(JSON)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created: Mapped[int] = mapped_column(BigInteger, index=True)
