"""The index as custodians hand it in: batches with their leaf hashes, and one row an entry."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Index, Integer, LargeBinary, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import SERIAL, WORD, Base


class IndexBatch(Base):
    """A batch whose root the ledger holds. ``leaves``: the leaf hashes in order, 32 bytes each, so that proofs can be served."""

    __tablename__ = "index_batch"
    organisation: Mapped[bytes] = mapped_column(WORD, primary_key=True)
    batch: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(WORD)
    first_sequence: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(Integer)
    transaction: Mapped[str | None] = mapped_column(String(66))
    anchored_at: Mapped[int] = mapped_column(BigInteger)
    leaves: Mapped[bytes] = mapped_column(LargeBinary)


class IndexRow(Base):
    """One entry (docs/formats.md §3). ``leaf``: its 256 bytes; ``latest``: no newer version of the record is known."""

    __tablename__ = "index_entry"
    id: Mapped[int] = mapped_column(SERIAL, primary_key=True)
    organisation: Mapped[bytes] = mapped_column(WORD)
    sequence: Mapped[int] = mapped_column(BigInteger)
    batch: Mapped[int] = mapped_column(BigInteger)
    record: Mapped[bytes] = mapped_column(WORD)
    subject: Mapped[bytes] = mapped_column(WORD)
    category: Mapped[int] = mapped_column(SmallInteger)
    version: Mapped[int] = mapped_column(BigInteger)
    flags: Mapped[int] = mapped_column(SmallInteger)
    recorded_at: Mapped[int] = mapped_column(BigInteger)
    latest: Mapped[bool] = mapped_column(Boolean)
    leaf: Mapped[bytes] = mapped_column(LargeBinary(256))
    __table_args__ = (
        UniqueConstraint("organisation", "sequence"),
        Index("index_entry_of_subject", "subject", "recorded_at", "id"),
        Index("index_entry_of_record", "record", "version"),
    )
