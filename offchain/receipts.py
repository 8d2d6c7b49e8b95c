"""Receipts of one store: numbered, hash-chained, durable before a byte leaves (docs/formats.md §7, ARCHITECTURE.md invariant 5).

Receipts asked for at the same time are written together: one transaction, one fsync, one SM2 signature over the root of their
salted leaves. The nonces of the requests behind them are stored in the same transaction, so a replay is known even after a crash
and by every process of the gate. Several processes may share one log: each write starts by locking the head row.

The log is a table. A crash leaves whole groups or none (SQLite WAL with ``synchronous=FULL``, or PostgreSQL): what was returned
is durable, what was not returned was not served. Someone with the database can still rewrite it: hence the chain of hashes, the
signatures, and the roots on the ledger, against which :meth:`ReceiptLog.check` and :meth:`ReceiptLog.against` compare.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    ClauseElement,
    Connection,
    CursorResult,
    Engine,
    Integer,
    LargeBinary,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from core.bundle import TreeProof, group_words
from core.crypto import sm3
from core.errors import Unavailable
from core.hexes import to_bytes, to_hex
from core.merkle import Tree, leaf_hash, leaf_hashes, root
from core.receipt import salted_leaf
from core.words import ZERO
from gateway.ledger.migrate import Tables, migrate

LOOK_BACK = 500
BATCH = 50_000
"""Most receipts under one root on the ledger."""


class Base(DeclarativeBase):
    """Tables of a receipt log."""


class HeadRow(Base):
    """Where the chain stands; its lock orders the writers."""

    __tablename__ = "receipt_head"
    store: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    next: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class ReceiptRow(Base):
    """One receipt: its bytes, hash and salt, the group it was written with, the index batch of the record served."""

    __tablename__ = "receipt"
    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)
    json: Mapped[str] = mapped_column(Text)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    salt: Mapped[bytes] = mapped_column(LargeBinary(32))
    group: Mapped[int] = mapped_column(BigInteger)
    index_batch: Mapped[int | None] = mapped_column(BigInteger)


class GroupRow(Base):
    """Receipts made durable together, under the custodian's signature."""

    __tablename__ = "receipt_group"
    first: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(Integer)
    root: Mapped[bytes] = mapped_column(LargeBinary(32))
    signature: Mapped[bytes] = mapped_column(LargeBinary(64))


class NonceRow(Base):
    """A nonce that was used, until it could not be fresh any more."""

    __tablename__ = "receipt_nonce"
    tag: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    expires: Mapped[int] = mapped_column(BigInteger, index=True)


class DeliveryRow(Base):
    """A receipt whose answer was handed to the network. No row: undelivered, as far as anybody knows."""

    __tablename__ = "receipt_delivery"
    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)


class BatchRow(Base):
    """Receipts put on the ledger under one root: ``batch`` and ``height`` once the ledger has it, ``published`` once the
    gateway has them."""

    __tablename__ = "receipt_batch"
    first: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(Integer)
    root: Mapped[bytes] = mapped_column(LargeBinary(32))
    head: Mapped[bytes] = mapped_column(LargeBinary(32))
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    batch: Mapped[int | None] = mapped_column(BigInteger, index=True)
    height: Mapped[int | None] = mapped_column(BigInteger)
    published: Mapped[bool] = mapped_column(Boolean, index=True, default=False)


TABLES = Tables("receipts", Path(__file__).parent / "migrations" / "receipts", (Base.metadata,), marker="receipts_revision")


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of receipts under one root on the ledger. ``number`` and ``height``: where, None while it is on its way."""

    first: int
    count: int
    root: bytes
    head: bytes
    attempt: int
    number: int | None
    height: int | None

    @property
    def operation(self) -> str:
        """Key of its outbox operation."""
        return f"receipts/{self.first}/{self.count}/{self.attempt}"


class ReceiptsDamaged(Unavailable):
    """The log is not what was written: ``number`` is the first receipt that does not fit, ``detail`` says how."""

    default_code = "receipts_damaged"
    default_zh = "调阅回执第 {number} 号起与原样不符（{detail}），停止对外提供；请保留现场并报告审计员。"
    default_en = (
        "The receipts differ from what was written, from number {number} on ({detail}). "
        "Nothing is served: keep the files and tell the auditor."
    )

    def __init__(self, number: int, detail: str) -> None:
        super().__init__(number=number, detail=detail)
        self.number = number


@dataclass(slots=True)
class Draft:
    """A receipt without number and predecessor. ``body``: the members of docs/formats.md §7 but ``number`` and ``previous``;
    ``nonce``: 32-byte tag of key and nonce, accepted once until ``expires`` (UTC seconds)."""

    body: dict[str, Any]
    nonce: bytes
    expires: int
    index_batch: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Receipts under one signature; ``tree``: over their salted leaves, in order."""

    first: int
    signature: bytes
    tree: Tree


@dataclass(slots=True)
class Receipt:
    """A durable receipt. ``json`` are the hashed bytes as text."""

    number: int
    json: str
    hash: bytes
    salt: bytes
    group: Group
    index_batch: int | None = None

    def proof(self) -> list[bytes]:
        """Audit path of this receipt's leaf to the group's root (RFC 9162)."""
        return self.group.tree.inclusion_proof(self.number - self.group.first)


_LOCKED_HEAD = select(HeadRow.next, HeadRow.hash).where(HeadRow.store == bindparam("of")).with_for_update()
_MOVE_HEAD = update(HeadRow).where(HeadRow.store == bindparam("of")).values(next=bindparam("to"), hash=bindparam("by"))
ROWS = 1_000
"""Most rows in one statement; databases limit its parameters."""


class _Rows:
    """Rows of one table, many to a statement. Each statement costs SQLAlchemy's layers once, and gives up the interpreter once:
    a thread that writes row by row beside a busy event loop waits for its turn at every row."""

    def __init__(self, engine: Engine, table: type[Base], tail: str = "") -> None:
        """``tail``: what follows the rows, such as ON CONFLICT or RETURNING."""
        columns = len(table.__table__.columns)
        self._start = str(insert(table).compile(dialect=engine.dialect)).partition(" VALUES ")[0] + " VALUES "
        self._row = "(" + ", ".join(["?" if engine.dialect.paramstyle == "qmark" else "%s"] * columns) + ")"
        self._tail = tail

    def insert(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Insert; what the tail returns."""
        returned: list[Any] = []
        for at in range(0, len(rows), ROWS):
            part = rows[at : at + ROWS]
            sql = self._start + ", ".join([self._row] * len(part)) + self._tail
            result = connection.exec_driver_sql(sql, tuple(chain.from_iterable(part)))
            returned += result.all() if self._tail else ()
        return returned


class _Statement:
    """A statement compiled once, for the driver as it is: what runs for every group does not pass through SQLAlchemy's layers."""

    def __init__(self, engine: Engine, statement: ClauseElement) -> None:
        compiled = statement.compile(dialect=engine.dialect)
        self._sql = str(compiled)
        self._names: Sequence[str] | None = getattr(compiled, "positiontup", None)

    def run(self, connection: Connection, **values: Any) -> CursorResult[Any]:
        """Run with values for its parameters."""
        given = values if self._names is None else tuple(values[name] for name in self._names)
        return connection.exec_driver_sql(self._sql, given)


class _Turn:
    """One writer of a log at a time. SQLite lets a writer who finds another at work look again after ever longer pauses, up to
    100 ms; the system's lock on a file beside it wakes the next one at once. PostgreSQL's own row lock does."""

    def __init__(self, engine: Engine) -> None:
        self._threads = threading.Lock()
        path = engine.url.database if engine.dialect.name == "sqlite" else None
        self._fd = None if path is None else os.open(f"{path}.turn", os.O_RDWR | os.O_CREAT, 0o600)

    def __enter__(self) -> None:
        self._threads.acquire()
        if self._fd is not None:
            fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        """Let the file go."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def receipt_bytes(body: dict[str, Any], number: int, previous: bytes) -> bytes:
    """RFC 8785 bytes of a receipt. Keys and texts are ASCII and numbers below 2^53, so sorting the keys is all RFC 8785 asks."""
    return orjson.dumps({**body, "number": number, "previous": to_hex(previous)}, option=orjson.OPT_SORT_KEYS)


class ReceiptLog:
    """The receipts of one custodian. Thread-safe; methods block on the disk."""

    def __init__(self, engine: Engine, store: bytes, sign: Callable[[bytes], bytes]) -> None:
        """``store``: the custodian's id. ``sign``: SM2 with its key. Raises ReceiptsDamaged when the tail does not fit,
        DatabaseUnfit when the tables do not."""
        self.store = store
        self._engine = engine
        # SQLite: take the write lock at the start of a transaction instead of failing half way (gateway.ledger.db).
        self._writing = engine.execution_options(writing=True)
        self._sign = sign
        self._turn = _Turn(engine)
        self._delivered: list[int] = []
        self._rows = {table: _Rows(engine, table) for table in (ReceiptRow, GroupRow, DeliveryRow)}
        self._locked, self._moved = _Statement(engine, _LOCKED_HEAD), _Statement(engine, _MOVE_HEAD)
        self._nonces = _Rows(engine, NonceRow, " ON CONFLICT DO NOTHING RETURNING tag")
        migrate(engine, TABLES)
        self._found()
        self.check_tail()

    def write(self, drafts: Sequence[Draft]) -> list[Receipt | None]:
        """Number, chain, sign and store these in one transaction; when this returns they survive a power cut.

        One answer a draft: its receipt, or None when its nonce was used before (then nothing is stored for it).
        """
        with self._changing() as connection:
            number, previous = self._locked_head(connection)
            fresh = self._unused(connection, drafts)
            receipts = self._group(fresh, number, previous) if fresh else []
            self._insert(connection, receipts)
            self._flush_delivered(connection)
        made = {id(d): r for d, r in zip(fresh, receipts, strict=True)}
        return [made.get(id(d)) for d in drafts]

    def claim(self, nonce: bytes, expires: int) -> bool:
        """Use up a nonce of a request that needs no receipt. False if it was used before."""
        return self.claim_many([(nonce, expires)])[0]

    def claim_many(self, claims: Sequence[tuple[bytes, int]]) -> list[bool]:
        """:meth:`claim` for nonces with their expiry, in one transaction."""
        drafts = [Draft({}, nonce, expires) for nonce, expires in claims]
        with self._changing() as connection:
            self._locked_head(connection)
            fresh = self._unused(connection, drafts)
        unused = {id(d) for d in fresh}
        return [id(d) in unused for d in drafts]

    def mark_delivered(self, number: int) -> None:
        """The answer was handed to the network. Stored with the next write: after a crash in between it counts as undelivered."""
        self._delivered.append(number)

    def flush(self) -> None:
        """Store marks that wait for a write, and forget nonces that cannot be fresh any more."""
        with self._changing() as connection:
            self._flush_delivered(connection)

    def forget_nonces(self, before: int) -> None:
        """Drop nonces that expired before this time (UTC seconds)."""
        with self._changing() as connection:
            connection.execute(delete(NonceRow).where(NonceRow.expires < before))

    def delivered(self, number: int) -> bool:
        """Whether the answer is known to have been handed to the network."""
        with self._engine.connect() as connection:
            return connection.execute(select(DeliveryRow.number).where(DeliveryRow.number == number)).first() is not None

    def head(self) -> tuple[int, bytes]:
        """Number of the next receipt and hash of the last one (zeros at the start)."""
        with self._engine.connect() as connection:
            row = connection.execute(select(HeadRow.next, HeadRow.hash).where(HeadRow.store == self.store)).one()
        return row.next, row.hash

    def get(self, number: int) -> Receipt | None:
        """A receipt with its group, or None."""
        with self._engine.connect() as connection:
            row = connection.execute(select(ReceiptRow).where(ReceiptRow.number == number)).first()
            if row is None:
                return None
            group = connection.execute(select(GroupRow).where(GroupRow.first == row.group)).one()
            mates = connection.execute(
                select(ReceiptRow.json, ReceiptRow.salt)
                .where(ReceiptRow.group == row.group, *_run(group))
                .order_by(ReceiptRow.number)
            )
            tree = Tree(_leaves(mates.all()))
        return Receipt(row.number, row.json, row.hash, row.salt, Group(group.first, group.signature, tree), row.index_batch)

    def rows(self, first: int, count: int) -> list[Any]:
        """Stored rows (number, json, hash, salt, group) first … first+count−1, ascending; fewer where there are no more."""
        with self._engine.connect() as connection:
            query = (
                select(ReceiptRow.__table__)
                .where(ReceiptRow.number >= first, ReceiptRow.number < first + count)
                .order_by(ReceiptRow.number)
            )
            return list(connection.execute(query))

    def newest_block(self) -> bytes | None:
        """Hash of the block of the newest decision; refusals made while the ledger was silent name none."""
        at = self.head()[0]
        while at > 0:
            for row in reversed(self.rows(max(0, at - LOOK_BACK), min(at, LOOK_BACK))):
                doc = orjson.loads(row.json)
                if doc["height"]:
                    return to_bytes(doc["block"])
            at -= LOOK_BACK
        return None

    def check_tail(self) -> None:
        """Quick look at start-up: no number is missing, and the last group is the one that was signed. Raises ReceiptsDamaged."""
        number, head = self.head()
        with self._engine.connect() as connection:
            low, high, count = connection.execute(
                select(func.min(ReceiptRow.number), func.max(ReceiptRow.number), func.count(ReceiptRow.number))
            ).one()
            last = connection.execute(select(GroupRow.first).order_by(GroupRow.first.desc()).limit(1)).scalar()
        if (low, high, count) != ((0, number - 1, number) if number else (None, None, 0)):
            raise ReceiptsDamaged(count, f"{count} receipts are stored, the head says {number}")
        if number and last is not None:
            self._check_run(last, number, head)

    def check(self, first: int = 0) -> int:
        """Recompute the chain, the groups and their roots from receipt ``first`` on. Returns how many hold.

        Raises ReceiptsDamaged. ``first`` is the start of a group. Signatures are the caller's to verify
        (:func:`core.bundle.group_words`), as auditors have the key from the ledger.
        """
        number, head = self.head()
        return self._check_run(first, number, head)

    def against(self, next_number: int, head: bytes) -> None:
        """Compare with the ledger's view of this store (``Access.receiptsOf``). ReceiptsDamaged if ours is shorter or another."""
        if not next_number:
            return
        rows = self.rows(next_number - 1, 1)
        if not rows:
            raise ReceiptsDamaged(self.head()[0], f"the ledger knows {next_number} receipts of this store, here are fewer")
        if rows[0].hash != head:
            raise ReceiptsDamaged(next_number - 1, "the ledger holds another hash for it")

    def new_batch(self) -> Batch | None:
        """Store the next batch: every receipt that is in none, at most ``BATCH`` of them. None when there is none."""
        with self._engine.connect() as connection:
            newest = connection.execute(select(BatchRow).order_by(BatchRow.first.desc()).limit(1)).first()
        first = 0 if newest is None else newest.first + newest.size
        rows = self.rows(first, BATCH)
        if not rows:
            return None
        batch = Batch(first, len(rows), root(_leaves(rows)), rows[-1].hash, 0, None, None)
        with self._changing() as connection:
            values = {"first": first, "size": batch.count, "root": batch.root, "head": batch.head}
            connection.execute(insert(BatchRow), [{**values, "attempt": 0, "published": False}])
        return batch

    def open_batch(self) -> Batch | None:
        """The batch that is on its way to the ledger; there is never more than one."""
        return next(iter(self._batches(BatchRow.batch.is_(None))), None)

    def unpublished(self) -> list[Batch]:
        """Batches on the ledger that the gateway does not have yet, oldest first."""
        return self._batches(BatchRow.batch.is_not(None), BatchRow.published.is_(False))

    def settle_batch(self, batch: Batch, number: int, height: int) -> None:
        """The ledger has it: its batch number and block height."""
        self._change(batch, batch=number, height=height)

    def retry_batch(self, batch: Batch) -> None:
        """The ledger refused it: try again under a new operation key."""
        self._change(batch, attempt=batch.attempt + 1)

    def published(self, batch: Batch) -> None:
        """The gateway has it."""
        self._change(batch, published=True)

    def anchor(self, number: int) -> tuple[Batch, TreeProof] | None:
        """The batch on the ledger that a receipt is in, and its place there; None while it is in none."""
        found = self._batches(BatchRow.first <= number, BatchRow.first + BatchRow.size > number, BatchRow.batch.is_not(None))
        if not found:
            return None
        tree = Tree(_leaves(self.rows(found[0].first, found[0].count)))
        return found[0], TreeProof.of(tree, number - found[0].first)

    def _batches(self, *where: Any) -> list[Batch]:
        with self._engine.connect() as connection:
            rows = connection.execute(select(BatchRow.__table__).where(*where).order_by(BatchRow.first)).all()
        return [Batch(r.first, r.size, r.root, r.head, r.attempt, r.batch, r.height) for r in rows]

    def _change(self, changed: Batch, **values: Any) -> None:
        with self._changing() as connection:
            connection.execute(update(BatchRow).where(BatchRow.first == changed.first).values(**values))

    def close(self) -> None:
        """Store waiting marks and drop the connections."""
        self.flush()
        self._engine.dispose()
        self._turn.close()

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """A transaction that writes, alone among all processes of the gate."""
        with self._turn, self._writing.begin() as connection:
            yield connection

    def _found(self) -> None:
        with self._engine.connect() as connection:
            if connection.execute(select(HeadRow).where(HeadRow.store == self.store)).first() is not None:
                return
        try:
            with self._writing.begin() as connection:
                connection.execute(insert(HeadRow), [{"store": self.store, "next": 0, "hash": ZERO}])
        except IntegrityError:  # another process of this gate started at the same moment; its row is as good as ours
            return

    def _locked_head(self, connection: Connection) -> tuple[int, bytes]:
        row = self._locked.run(connection, of=self.store).one()
        return row.next, row.hash

    def _group(self, drafts: Sequence[Draft], number: int, previous: bytes) -> list[Receipt]:
        written: list[tuple[int, bytes, bytes, bytes, int | None]] = []
        leaves: list[bytes] = []
        for n, draft in enumerate(drafts, number):
            raw, salt = receipt_bytes(draft.body, n, previous), os.urandom(32)
            previous = sm3(raw)
            written.append((n, raw, previous, salt, draft.index_batch))
            leaves.append(leaf_hash(salted_leaf(salt, raw)))
        tree = Tree(leaves)
        group = Group(number, self._sign(group_words(self.store, tree.root, number, len(drafts))), tree)
        return [Receipt(n, raw.decode(), digest, salt, group, batch) for n, raw, digest, salt, batch in written]

    def _unused(self, connection: Connection, drafts: Sequence[Draft]) -> list[Draft]:
        """Those whose nonce was not used before; it is from now on. Of two with the same nonce the first."""
        stored = {row[0] for row in self._nonces.insert(connection, [(d.nonce, d.expires) for d in drafts])}
        fresh: list[Draft] = []
        for draft in drafts:
            if draft.nonce in stored:
                stored.remove(draft.nonce)
                fresh.append(draft)
        return fresh

    def _insert(self, connection: Connection, receipts: Sequence[Receipt]) -> None:
        if not receipts:
            return
        group, last = receipts[0].group, receipts[-1]
        rows = [(r.number, r.json, r.hash, r.salt, group.first, r.index_batch) for r in receipts]
        self._rows[ReceiptRow].insert(connection, rows)
        self._rows[GroupRow].insert(connection, [(group.first, len(receipts), group.tree.root, group.signature)])
        self._moved.run(connection, of=self.store, to=last.number + 1, by=last.hash)

    def _flush_delivered(self, connection: Connection) -> None:
        waiting, self._delivered = self._delivered, []
        self._rows[DeliveryRow].insert(connection, [(n,) for n in waiting])

    def _check_run(self, first: int, end: int, head: bytes) -> int:
        previous = self.rows(first - 1, 1)[0].hash if first else ZERO
        expected = first
        for group, rows in self._groups(first, end):
            for row in rows:
                _check_receipt(row, expected, previous)
                previous, expected = row.hash, expected + 1
            _check_group(group, rows)
        if (expected, previous) != (end, head):
            raise ReceiptsDamaged(expected, "the chain does not end at the head")
        return expected - first

    def _groups(self, first: int, end: int) -> Iterator[tuple[Any, list[Any]]]:
        at = first
        while at < end:
            with self._engine.connect() as connection:
                group = connection.execute(select(GroupRow.__table__).where(GroupRow.first == at)).first()
            if group is None or not group.size:
                raise ReceiptsDamaged(at, "no group starts here")
            yield group, self.rows(at, group.size)
            at += group.size


def _run(group: Any) -> tuple[Any, Any]:
    return ReceiptRow.number >= group.first, ReceiptRow.number < group.first + group.size


def _check_receipt(row: Any, number: int, previous: bytes) -> None:
    raw = row.json.encode()
    body = orjson.loads(raw)
    if row.number != number or body.get("number") != number:
        raise ReceiptsDamaged(number, "its number is missing")
    if body.get("previous") != to_hex(previous):
        raise ReceiptsDamaged(number, "it does not follow the one before")
    if sm3(raw) != row.hash:
        raise ReceiptsDamaged(number, "its bytes are not those that were hashed")


def _check_group(group: Any, rows: Sequence[Any]) -> None:
    if len(rows) != group.size or any(r.group != group.first for r in rows):
        raise ReceiptsDamaged(group.first, "receipts of its group are missing")
    if root(_leaves(rows)) != group.root:
        raise ReceiptsDamaged(group.first, "its group has another root than was signed")


def _leaves(rows: Sequence[Any]) -> list[bytes]:
    return leaf_hashes(salted_leaf(row.salt, row.json.encode()) for row in rows)
