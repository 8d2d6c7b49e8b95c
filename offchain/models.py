"""Tables of a custodian's database (``custodians/<code>/store.db``) and of the registrar's (``registrar/registrar.db``).

No table holds a name, an identity number or a diagnosis in the clear: ids and fingerprints are HMAC-SM3 values, content and
quarantined rows are ciphertext. Times are UTC seconds since 1970, 32-byte values are raw bytes (docs/formats.md).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, LargeBinary, SmallInteger, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite gives only INTEGER PRIMARY KEY a number of its own.
Serial = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """Custodian's tables."""


class RegistrarBase(DeclarativeBase):
    """Registrar's tables: the EMPI and the enrolment directory."""


class Record(Base):
    """The newest version of a record, and what the last import saw of its source row."""

    __tablename__ = "record"
    record: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    subject: Mapped[bytes] = mapped_column(LargeBinary(32))
    schema: Mapped[bytes] = mapped_column(LargeBinary(32))
    category: Mapped[int] = mapped_column(SmallInteger)
    version: Mapped[int] = mapped_column(Integer)
    sequence: Mapped[int] = mapped_column(BigInteger)
    commitment: Mapped[bytes] = mapped_column(LargeBinary(32))
    recorded_at: Mapped[int] = mapped_column(BigInteger)
    tombstone: Mapped[bool] = mapped_column(Boolean)
    source: Mapped[str] = mapped_column(String(64))
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    run_seen: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = (
        Index("record_by_subject", "subject", "category", "recorded_at"),
        Index("record_by_source", "source", "run_seen"),
    )


class EntryRow(Base):
    """One leaf of the index (docs/formats.md §3) and where its encrypted content lies; a tombstone has no content."""

    __tablename__ = "index_entry"
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    record: Mapped[bytes] = mapped_column(LargeBinary(32))
    version: Mapped[int] = mapped_column(Integer)
    subject: Mapped[bytes] = mapped_column(LargeBinary(32))
    schema: Mapped[bytes] = mapped_column(LargeBinary(32))
    category: Mapped[int] = mapped_column(SmallInteger)
    flags: Mapped[int] = mapped_column(SmallInteger)
    commitment: Mapped[bytes] = mapped_column(LargeBinary(32))
    previous: Mapped[bytes] = mapped_column(LargeBinary(32))
    recorded_at: Mapped[int] = mapped_column(BigInteger)
    indexed_at: Mapped[int] = mapped_column(BigInteger)
    segment: Mapped[int | None] = mapped_column(Integer)
    offset: Mapped[int | None] = mapped_column(BigInteger)
    length: Mapped[int | None] = mapped_column(Integer)
    __table_args__ = (UniqueConstraint("record", "version"),)


class RecordKey(Base):
    """A record version's own SM4 key, wrapped by the organisation's. ``wrapped`` is null once the key is destroyed."""

    __tablename__ = "record_key"
    record: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    wrapped: Mapped[bytes | None] = mapped_column(LargeBinary(44))
    wrapped_by: Mapped[bytes] = mapped_column(LargeBinary(8))
    destruction: Mapped[int | None] = mapped_column(ForeignKey("key_destruction.id"))


class KeyDestruction(Base):
    """The receipt of a key destruction: which record, who, when, why. Never deleted."""

    __tablename__ = "key_destruction"
    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    record: Mapped[bytes] = mapped_column(LargeBinary(32), index=True)
    versions: Mapped[int] = mapped_column(Integer)
    at: Mapped[int] = mapped_column(BigInteger)
    by: Mapped[bytes] = mapped_column(LargeBinary(32))
    reason: Mapped[str] = mapped_column(String(200))


class EntryFile(Base):
    """A run of index entries kept as 256 bytes each in a flat file (bulk path). ``source_end``: how far its source was read."""

    __tablename__ = "entry_file"
    first_sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(Integer)
    path: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(64), index=True)
    source_end: Mapped[int] = mapped_column(BigInteger)


class AnchorBatch(Base):
    """A contiguous run of entries under one Merkle root. ``status``: pending → anchored, or failed (then tried again)."""

    __tablename__ = "anchor_batch"
    batch: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    first_sequence: Mapped[int] = mapped_column(BigInteger, unique=True)
    count: Mapped[int] = mapped_column(Integer)
    root: Mapped[bytes] = mapped_column(LargeBinary(32))
    previous_root: Mapped[bytes] = mapped_column(LargeBinary(32))
    mode: Mapped[str] = mapped_column(String(8))
    operation: Mapped[str] = mapped_column(String(128), unique=True)
    attempt: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(8))
    transaction: Mapped[str | None] = mapped_column(String(80))
    height: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str | None] = mapped_column(Text)
    created: Mapped[int] = mapped_column(BigInteger)
    published: Mapped[bool] = mapped_column(Boolean)


class Counter(Base):
    """Named counters that only go up: ``sequence`` is the next free sequence of the organisation."""

    __tablename__ = "counter"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class ImportRun(Base):
    """One run of an import. ``status``: running, finished; a run still `running` at the next start was killed."""

    __tablename__ = "import_run"
    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    source: Mapped[str] = mapped_column(String(64))
    started: Mapped[int] = mapped_column(BigInteger)
    finished: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(8))
    full: Mapped[bool] = mapped_column(Boolean)
    report: Mapped[str | None] = mapped_column(Text)


class Delivery(Base):
    """What a source delivered, and what became of it.

    ``status``: running → imported, or at once duplicate (the same bytes came before) or refused (nothing of it was taken;
    ``reason`` says why). One still running at the next look was killed and goes on. ``run``: the import run that ended it;
    ``through``: the first sequence behind its entries.
    """

    __tablename__ = "delivery"
    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    source: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(255))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    files: Mapped[int] = mapped_column(Integer)
    size: Mapped[int] = mapped_column(BigInteger)
    started: Mapped[int] = mapped_column(BigInteger)
    ended: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(9))
    reason: Mapped[str | None] = mapped_column(Text)
    run: Mapped[int | None] = mapped_column(BigInteger)
    through: Mapped[int | None] = mapped_column(BigInteger)
    __table_args__ = (Index("delivery_by_source", "source", "digest"),)


class Quarantine(Base):
    """A source row that was not imported, with the rule it broke. ``content`` is the row, encrypted; null if it was too long."""

    __tablename__ = "quarantine"
    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    source: Mapped[str] = mapped_column(String(64))
    file: Mapped[str] = mapped_column(String(255))
    line: Mapped[int] = mapped_column(BigInteger)
    rule: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(String(255))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    record: Mapped[bytes | None] = mapped_column(LargeBinary(32), index=True)
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    first_run: Mapped[int] = mapped_column(BigInteger)
    last_run: Mapped[int] = mapped_column(BigInteger)
    resolved: Mapped[bool] = mapped_column(Boolean)
    __table_args__ = (UniqueConstraint("source", "file", "line", "rule", "digest"),)


class Identifier(RegistrarBase):
    """A person's identifier, only as HMAC-SM3 under the registrar's key, and the subject it belongs to."""

    __tablename__ = "identifier"
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    subject: Mapped[bytes] = mapped_column(LargeBinary(32), index=True)


class Person(RegistrarBase):
    """What the enrolment directory needs of a person: HMAC of the ID number, the subject, HMAC of the name."""

    __tablename__ = "person"
    lookup: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    subject: Mapped[bytes] = mapped_column(LargeBinary(32), index=True)
    name_check: Mapped[bytes] = mapped_column(LargeBinary(32))
    posted: Mapped[bool] = mapped_column(Boolean, index=True)
