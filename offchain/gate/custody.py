"""The custodian's records as a gate sees them: find one, prove that it is the anchored one, open it, cut it.

Nothing here decides; :mod:`offchain.gate.reading` calls :meth:`Custody.open` only for a permitted request. A record is served
only when its index entry is in the batch whose root the ledger holds, and its content leads to the commitment of that entry:
whoever changes the store, the index or both is found out before a byte leaves.
"""

from __future__ import annotations

import hmac
import threading
from collections import namedtuple
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Engine, PoolProxiedConnection, Select, and_, bindparam, select
from sqlalchemy.orm import Session

from core import merkle
from core.decision import Request
from core.entry import TOMBSTONE
from core.record import Disclosure, RecordTree
from offchain.anchor import ANCHORED, Anchorer
from offchain.envelope import ContentDestroyed, Envelope, EnvelopeError, Sealed
from offchain.models import EntryRow, Record, RecordKey
from offchain.repository import batch_of, leaf_bytes, of_subject, unpack
from offchain.stores.port import Location, Store, StoreError
from offchain.trees import Path32, TreeDamaged, TreeFile

_NEWEST = (
    select(EntryRow.__table__, RecordKey.wrapped, RecordKey.wrapped_by)
    .join(Record, Record.sequence == EntryRow.sequence)
    .outerjoin(RecordKey, and_(RecordKey.record == EntryRow.record, RecordKey.version == EntryRow.version))
)


class Damaged(Exception):
    """Content or index is not what was anchored."""


class Erased(Exception):
    """The record's key was destroyed, or the record was taken back."""


class NotAnchored(Exception):
    """The entry is in no batch that the ledger holds."""


@dataclass(slots=True)
class Held:
    """The newest version of a record, its content still sealed. ``leaf``: the 256 bytes that were anchored."""

    record: bytes
    version: int
    subject: bytes
    schema: bytes
    category: int
    sequence: int
    commitment: bytes
    recorded_at: int
    tombstone: bool
    leaf: bytes
    place: Location | None
    wrapped: bytes | None
    wrapped_by: bytes | None

    def answers(self, request: Request) -> bool:
        """Whether this is the record that was asked for: of that person, category and document type."""
        return self.subject == request.subject and self.category == request.category and self.schema == request.schema


@dataclass(slots=True)
class IndexProof:
    """Where an entry lies in its batch, and the path to the root on the ledger."""

    batch: int
    root: bytes
    index: int
    size: int
    hashes: list[bytes]


class Lookup:
    """One query by one key, compiled once and run on a driver connection kept open: a tenth of what the same query costs through
    the ORM's layers, and it runs for every read. Each run sees what is committed. Thread-safe."""

    def __init__(self, engine: Engine, query: Select[Any]) -> None:
        compiled = query.compile(dialect=engine.dialect)
        self._sql = str(compiled)
        self._positional = bool(compiled.positional)
        self._row = namedtuple("Found", [c.name for c in query.selected_columns])  # type: ignore[misc]
        self._engine = engine
        self._connection: PoolProxiedConnection | None = None
        self._lock = threading.Lock()

    def one(self, key: bytes) -> Any:
        """The row, or None."""
        with self._lock:
            try:
                found = self._fetch(key)
            except self._engine.dialect.loaded_dbapi.OperationalError:
                self._drop()  # the server went away meanwhile: a fresh connection, once
                found = self._fetch(key)
        return None if found is None else self._row(*found)

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            self._drop()

    def _fetch(self, key: bytes) -> Any:
        if self._connection is None:
            self._connection = self._engine.raw_connection()
            if self._engine.dialect.name != "sqlite":
                self._connection.driver_connection.autocommit = True  # type: ignore[union-attr]
        cursor = self._connection.cursor()
        try:
            cursor.execute(self._sql, (key,) if self._positional else {"key": key})
            return cursor.fetchone()
        finally:
            cursor.close()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Custody:
    """One custodian's store, index and keys. Thread-safe."""

    def __init__(self, organisation: bytes, engine: Engine, store: Store, envelope: Envelope, anchorer: Anchorer) -> None:
        self.organisation = organisation
        self._engine = engine
        self._store = store
        self._envelope = envelope
        self._anchorer = anchorer
        self._newest = Lookup(engine, _NEWEST.where(Record.record == bindparam("key")))
        self._runs: list[tuple[int, int, int]] = []
        self._trees: dict[int, TreeFile] = {}
        self._lock = threading.Lock()

    def find(self, record: bytes) -> Held | None:
        """The newest version of a record, or None. Content stays sealed."""
        row = self._newest.one(record)
        return None if row is None else self._held(cast(EntryRow, row), row.wrapped, row.wrapped_by)

    def of_subject(self, subject: bytes, limit: int = 1000, after: int = -1) -> list[Held]:
        """Newest versions of a person's live records, by sequence after ``after``."""
        with Session(self._engine) as session:
            entries = of_subject(session, subject, None, limit, after)
            return [self._plain(entry) for entry in entries]

    def open(self, held: Held, count: int) -> RecordTree:
        """Decrypt, and check against the commitment. ``count``: elements of the document type. Raises Erased or Damaged."""
        if held.tombstone or held.place is None or held.wrapped is None or held.wrapped_by is None:
            raise Erased
        sealed = Sealed(self._read(held.place), held.wrapped, held.wrapped_by)
        try:
            content = unpack(self._envelope.open(held.record, held.version, held.schema, sealed))
        except (EnvelopeError, ValueError) as e:
            raise Damaged("it does not open") from e
        except ContentDestroyed as e:
            raise Erased from e
        tree = RecordTree(held.schema, count, content.elements, content.salt)
        if not hmac.compare_digest(tree.commitment, held.commitment):
            raise Damaged("the content is not the one committed")
        return tree

    def batch(self, sequence: int) -> int:
        """Number of the anchored batch an entry is in. Raises NotAnchored while there is none."""
        for first, end, batch in self._runs:
            if first <= sequence < end:
                return batch
        with Session(self._engine) as session:
            row = batch_of(session, sequence)
            if row is None or row.status != ANCHORED:
                raise NotAnchored
            self._runs.append((row.first_sequence, row.first_sequence + row.count, row.batch))
            return row.batch

    def prove(self, held: Held, batch: int, root: bytes | None) -> IndexProof:
        """The path from the entry to the root the ledger holds. Raises NotAnchored (the ledger has no such batch) or Damaged."""
        if root is None:
            raise NotAnchored
        path = self._path(held.sequence, batch)
        if not merkle.verify_inclusion(merkle.leaf_hash(held.leaf), path.index, path.size, path.hashes, root):
            raise Damaged("the index is not the one anchored")
        return IndexProof(batch, root, path.index, path.size, path.hashes)

    def _path(self, sequence: int, batch: int) -> Path32:
        first = next(first for first, _, number in self._runs if number == batch)
        with self._lock:
            tree = self._trees.get(batch)
            if tree is None:
                tree = self._trees[batch] = self._open_tree(sequence, batch)
            return tree.path(sequence - first)

    def _open_tree(self, sequence: int, batch: int) -> TreeFile:
        path = self._anchorer.tree_path(batch)
        try:
            return TreeFile(path)
        except (FileNotFoundError, TreeDamaged):
            try:
                self._anchorer.proof(sequence)
                return TreeFile(path)
            except (LookupError, OSError, TreeDamaged) as e:
                raise Damaged("the index has holes") from e

    def close(self) -> None:
        """Let go of files and connections."""
        self._newest.close()
        self._store.close()
        for tree in self._trees.values():
            tree.close()

    def _read(self, place: Location) -> bytes:
        try:
            return self._store.read(place)
        except StoreError as e:
            raise Damaged("its bytes are not in the store") from e

    def _plain(self, e: EntryRow) -> Held:
        return self._held(e, None, None)

    def _held(self, e: EntryRow, wrapped: bytes | None, wrapped_by: bytes | None) -> Held:
        place = None if e.segment is None or e.offset is None or e.length is None else Location(e.segment, e.offset, e.length)
        return Held(
            e.record,
            e.version,
            e.subject,
            e.schema,
            e.category,
            e.sequence,
            e.commitment,
            e.recorded_at,
            bool(e.flags & TOMBSTONE),
            leaf_bytes(self.organisation, e),
            place,
            wrapped,
            wrapped_by,
        )


def cut(tree: RecordTree, mask: int) -> Disclosure:
    """The granted elements with what proves them; the others as hashes."""
    return tree.disclose(mask & ((1 << tree.element_count) - 1))
