"""Schema documents; their ids and element counts are on the ledger."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import WORD, Base


class SchemaDocument(Base):
    """A document type: the JSON whose hash is its id."""

    __tablename__ = "schema_document"
    id: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    elements: Mapped[int]
    created: Mapped[int] = mapped_column(BigInteger)
