"""Reading and writing a custodian's records: index rows in the database, ciphertext in the store, keys in between.

The release gate reads through :class:`Records`; it holds no other way to content. Functions that write take the caller's session
and leave the commit to it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.entry import IndexEntry
from offchain.envelope import SALT, ContentDestroyed, Envelope, Sealed
from offchain.models import AnchorBatch, Counter, EntryRow, KeyDestruction, Record, RecordKey
from offchain.stores.port import Location, Store


@dataclass(frozen=True, slots=True)
class Content:
    """A record version in the clear. ``elements``: element number → JSON value; ``salt`` (32 bytes) opens its commitment."""

    salt: bytes
    elements: dict[int, Any]


class Records:
    """A custodian's records: find, open, destroy."""

    def __init__(self, organisation: bytes, store: Store, envelope: Envelope) -> None:
        self.organisation = organisation
        self._store = store
        self._envelope = envelope

    def content(self, session: Session, entry: EntryRow) -> Content:
        """Decrypt one version.

        Raises ContentDestroyed (erased, or a tombstone), EnvelopeError (altered or foreign bytes), StoreError (not there).
        """
        key = session.get(RecordKey, (entry.record, entry.version))
        if entry.segment is None or entry.offset is None or entry.length is None or key is None or key.wrapped is None:
            raise ContentDestroyed
        blob = self._store.read(Location(entry.segment, entry.offset, entry.length))
        sealed = Sealed(blob, key.wrapped, key.wrapped_by)
        return unpack(self._envelope.open(entry.record, entry.version, entry.schema, sealed))

    def leaf(self, entry: EntryRow) -> bytes:
        """The entry's 256 bytes as they were anchored (docs/formats.md §3)."""
        return leaf_bytes(self.organisation, entry)

    def destroy(self, session: Session, record: bytes, *, by: bytes, reason: str, at: int) -> KeyDestruction:
        """Destroy the keys of every version of a record; the returned row is the receipt.

        The caller commits, then calls :func:`offchain.database.forget_freed_pages`. Raises KeyError when there is no such record.
        """
        versions = session.scalar(select(func.count()).select_from(RecordKey).where(RecordKey.record == record)) or 0
        if not versions:
            raise KeyError("no such record")
        receipt = KeyDestruction(record=record, versions=versions, at=at, by=by, reason=reason)
        session.add(receipt)
        session.flush()
        session.execute(
            update(RecordKey)
            .where(RecordKey.record == record, RecordKey.wrapped.is_not(None))
            .values(wrapped=None, destruction=receipt.id)
        )
        return receipt


def pack(content: Content) -> bytes:
    """What is encrypted: the salt (32 bytes), then the elements as JSON."""
    return content.salt + orjson.dumps({str(n): v for n, v in content.elements.items()})


def unpack(plaintext: bytes) -> Content:
    """Inverse of :func:`pack`."""
    return Content(plaintext[:SALT], {int(n): v for n, v in orjson.loads(plaintext[SALT:]).items()})


def current(session: Session, record: bytes) -> EntryRow | None:
    """The newest version of a record (it may be a tombstone), or None."""
    newest = select(EntryRow).join(Record, Record.sequence == EntryRow.sequence).where(Record.record == record)
    return session.scalar(newest)


def version(session: Session, record: bytes, number: int) -> EntryRow | None:
    """One version of a record, counted from 1, or None."""
    return session.scalar(select(EntryRow).where(EntryRow.record == record, EntryRow.version == number))


def of_subject(
    session: Session, subject: bytes, categories: Collection[int] | None = None, limit: int = 1000, after: int = -1
) -> list[EntryRow]:
    """Newest versions of a subject's live records, by sequence; ``after`` is the last sequence of the page before."""
    query = (
        select(EntryRow)
        .join(Record, Record.sequence == EntryRow.sequence)
        .where(Record.subject == subject, Record.tombstone.is_(False), EntryRow.sequence > after)
        .order_by(EntryRow.sequence)
        .limit(limit)
    )
    if categories is not None:
        query = query.where(Record.category.in_(list(categories)))
    return list(session.scalars(query))


def batch_of(session: Session, sequence: int) -> AnchorBatch | None:
    """The batch an entry was put under (look at its ``status``), or None when it waits to be batched."""
    newest = (
        select(AnchorBatch).where(AnchorBatch.first_sequence <= sequence).order_by(AnchorBatch.first_sequence.desc()).limit(1)
    )
    batch = session.scalar(newest)
    return batch if batch is not None and sequence < batch.first_sequence + batch.count else None


def take_sequences(session: Session, count: int) -> int:
    """Reserve ``count`` contiguous sequences in this transaction; returns the first. A roll-back gives them back."""
    counter = session.get(Counter, "sequence", with_for_update=True)
    if counter is None:
        counter = Counter(name="sequence", value=0)
        session.add(counter)
    first = counter.value
    counter.value = first + count
    session.flush()
    return first


def next_sequence(session: Session) -> int:
    """The next free sequence: how many entries there are."""
    return session.scalar(select(Counter.value).where(Counter.name == "sequence")) or 0


def leaf_bytes(organisation: bytes, entry: EntryRow) -> bytes:
    """The 256 bytes of an index entry (docs/formats.md §3)."""
    return IndexEntry(
        organisation,
        entry.record,
        entry.subject,
        entry.commitment,
        entry.schema,
        entry.previous,
        entry.sequence,
        entry.version,
        entry.category,
        entry.flags,
        entry.recorded_at,
        entry.indexed_at,
    ).pack()
