"""Anchoring: runs of index entries under Merkle roots on the ledger, and the proofs that follow from them.

Crash order: 1. the batch's tree file is durable; 2. one commit with the batch row and the outbox operation; 3. the outbox sends
and settles; 4. :meth:`Anchorer.settle` takes the outcome over. Before 2 nothing happened (the tree file is written again); after
it the outbox finishes. Batches of an organisation are sent in order and each names the root before it: the ledger refuses a gap.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import merkle
from core.entry import SIZE, pack_rows
from core.hexes import to_hex
from core.words import ZERO
from gateway.ledger import outbox
from gateway.ledger.db import writing
from gateway.ledger.port import Call
from offchain.database import Sessions
from offchain.models import AnchorBatch, EntryFile, EntryRow
from offchain.repository import batch_of, next_sequence
from offchain.trees import TreeDamaged, TreeFile, write_tree

PENDING, ANCHORED, FAILED = "pending", "anchored", "failed"
Mode = Literal["root", "full"]
FULL_MODE_ENTRIES = 400
"""Most entries whose 256 bytes travel in one transaction (100 KiB of calldata; nodes refuse much more)."""
ENDORSED_ENTRIES = 2_000
"""The same where writes are endorsed (Fabric): each of a custodian's batches waits for the block of the one before, and 2 MB are
a block of their own at once (ordering's PreferredMaxBytes)."""
TRANSACTION_ENTRIES = 20_000
"""Entries put into batches in one database transaction, so that small batches share its commit."""
ATTEMPTS = 5
CALLER = "anchor"


class NotAnchored(Exception):
    """The entry is not under a root that the ledger holds (yet)."""


@dataclass(frozen=True, slots=True)
class EntryProof:
    """What shows that an entry (256 bytes) is under a root: docs/formats.md §9 ``index``. ``hashes``: lowest sibling first."""

    entry: bytes
    batch: int
    leaf_index: int
    tree_size: int
    hashes: list[bytes]
    root: bytes

    def holds(self) -> bool:
        """Whether the path leads from the entry to the root."""
        return merkle.verify_inclusion(merkle.leaf_hash(self.entry), self.leaf_index, self.tree_size, self.hashes, self.root)


class IndexClient(Protocol):
    """The gateway, as far as publishing goes: ``POST /index/batches`` (docs/services.md). Raises when it did not take it."""

    def post_batch(self, document: dict[str, Any]) -> object:
        """Hand over one batch; the same again is no error."""


class Anchorer:
    """Anchors one custodian's index. ``directory``: where tree files lie."""

    def __init__(
        self,
        organisation: bytes,
        sessions: Sessions,
        directory: Path,
        *,
        mode: Mode = "root",
        batch_entries: int = 20_000,
        full_entries: int = FULL_MODE_ENTRIES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._organisation = organisation
        self._sessions = sessions
        self._directory = directory
        self._mode = mode
        self._most = min(batch_entries, full_entries) if mode == "full" else batch_entries
        self._clock = clock

    def batch(self) -> int:
        """Put every entry that is not in a batch yet under a root and into the outbox; returns how many batches were made."""
        made = 0
        while fresh := self._some_batches():
            made += fresh
        return made

    def waiting(self) -> int:
        """How many batches the ledger does not hold yet."""
        with self._sessions() as session:
            return session.scalar(select(func.count()).select_from(AnchorBatch).where(AnchorBatch.status != ANCHORED)) or 0

    def settle(self) -> int:
        """Take in what the outbox learned about our batches: those the ledger holds become anchored."""
        anchored = 0
        with self._sessions.begin() as session:
            writing(session)
            for batch, *operation in session.execute(_followed()):
                anchored += _follow(batch, *operation)
            session.flush()
            self._again(session)
        return anchored

    def retry(self) -> int:
        """Try failed batches again after somebody removed the cause; returns how many go again."""
        with self._sessions.begin() as session:
            writing(session)
            return self._again(session, asked=True)

    def proof(self, sequence: int) -> EntryProof:
        """Proof for an anchored entry. Raises NotAnchored, and TreeDamaged if the index is not the one anchored."""
        with self._sessions() as session:
            batch = batch_of(session, sequence)
            if batch is None or batch.status != ANCHORED:
                raise NotAnchored(f"entry {sequence}")
            (entry,) = _leaves(session, self._organisation, sequence, 1)
            index = sequence - batch.first_sequence
            with self._tree(session, batch) as tree:
                path = tree.path(index)
            return EntryProof(entry, batch.batch, index, batch.count, path.hashes, path.root)

    def publish(self, client: IndexClient) -> int:
        """Hand anchored batches to the gateway's central index, in order; returns how many. Stops where one is not taken."""
        with self._sessions() as session:
            waiting = select(AnchorBatch).where(AnchorBatch.status == ANCHORED, AnchorBatch.published.is_(False))
            batches = list(session.scalars(waiting.order_by(AnchorBatch.batch)))
        for batch in batches:
            with self._sessions() as session:
                document = self._document(session, batch)
            client.post_batch(document)
            with self._sessions.begin() as session:
                writing(session)
                session.get_one(AnchorBatch, batch.batch).published = True
        return len(batches)

    def tree_path(self, batch: int) -> Path:
        """Where a batch's tree file lies."""
        return self._directory / f"{batch:08d}.tree"

    def enlist(
        self, session: Session, number: int, first: int, count: int, root: bytes, before: bytes, entries: Sequence[bytes] = ()
    ) -> None:
        """Store a batch and its ledger call in this transaction; the tree file must be durable by then.

        ``entries``: those that travel in full, where they are at hand (else they are read).
        """
        row = AnchorBatch(
            batch=number,
            first_sequence=first,
            count=count,
            root=root,
            previous_root=before,
            mode=self._mode,
            operation=f"{number}/1",
            attempt=1,
            status=PENDING,
            created=int(self._clock()),
            published=False,
        )
        session.add(row)
        self._enqueue(session, row, entries)

    def last(self, session: Session) -> tuple[int, int, bytes]:
        """(next batch number, first sequence not in a batch, last root)."""
        newest = session.scalar(select(AnchorBatch).order_by(AnchorBatch.batch.desc()).limit(1))
        return (0, 0, ZERO) if newest is None else (newest.batch + 1, newest.first_sequence + newest.count, newest.root)

    def _some_batches(self) -> int:
        """A transaction's worth: one large batch, or many of those that travel in full."""
        with self._sessions.begin() as session:
            writing(session)
            number, first, before = self.last(session)
            left = next_sequence(session) - first
            made = 0
            while left > 0 and made * self._most < TRANSACTION_ENTRIES:
                count = min(left, self._most)
                entries = _leaves(session, self._organisation, first, count)
                root = self._root(number + made, entries)
                self.enlist(session, number + made, first, count, root, before, entries)
                first, before, left, made = first + count, root, left - count, made + 1
            return made

    def _root(self, number: int, entries: Sequence[bytes]) -> bytes:
        hashes = merkle.leaf_hashes(entries)
        # Batches that travel in full are small: their tree file is made when the first proof is asked for.
        return merkle.root(hashes) if self._mode == "full" else write_tree(self.tree_path(number), hashes)

    def _enqueue(self, session: Session, row: AnchorBatch, entries: Sequence[bytes]) -> None:
        args: dict[str, Any] = {
            "root": row.root,
            "firstSequence": row.first_sequence,
            "count": row.count,
            "previousRoot": row.previous_root,
        }
        method = "anchorBatch"
        if row.mode == "full":
            method = "anchorEntries"
            args["entries"] = b"".join(entries or _leaves(session, self._organisation, row.first_sequence, row.count))
        outbox.enqueue(session, row.operation, "index.anchor", Call("DataIndex", method, args), caller=CALLER)

    def _again(self, session: Session, *, asked: bool = False) -> int:
        """Failed batches go once more, all in order, when none is on its way (those behind a failed one fail too)."""
        open_batches = select(AnchorBatch).where(AnchorBatch.status != ANCHORED).order_by(AnchorBatch.batch)
        rows = list(session.scalars(open_batches))
        if not rows or any(r.status == PENDING for r in rows) or (rows[0].attempt % ATTEMPTS == 0 and not asked):
            return 0
        for row in rows:
            row.attempt += 1
            row.operation, row.status = f"{row.batch}/{row.attempt}", PENDING
            self._enqueue(session, row, ())
        return len(rows)

    def _tree(self, session: Session, batch: AnchorBatch) -> TreeFile:
        """The batch's tree file, made again from the index where it is missing; TreeDamaged if it is not the tree anchored."""
        path = self.tree_path(batch.batch)
        if not path.exists():
            leaves = _leaves(session, self._organisation, batch.first_sequence, batch.count)
            write_tree(path, merkle.leaf_hashes(leaves))
        tree = TreeFile(path)
        if tree.root != batch.root:
            tree.close()
            path.unlink()
            raise TreeDamaged(f"batch {batch.batch} is not the one anchored")
        return tree

    def _document(self, session: Session, batch: AnchorBatch) -> dict[str, Any]:
        entries = _leaves(session, self._organisation, batch.first_sequence, batch.count)
        return {
            "organisation": to_hex(self._organisation),
            "batch": batch.batch,
            "root": to_hex(batch.root),
            "firstSequence": batch.first_sequence,
            "count": batch.count,
            "transaction": batch.transaction,
            "entries": base64.b64encode(b"".join(entries)).decode(),
            "leafSaltless": True,
        }


_PACKED = (
    EntryRow.record,
    EntryRow.subject,
    EntryRow.commitment,
    EntryRow.schema,
    EntryRow.previous,
    EntryRow.sequence,
    EntryRow.version,
    EntryRow.category,
    EntryRow.flags,
    EntryRow.recorded_at,
    EntryRow.indexed_at,
)
"""The columns of an entry in the order of :data:`core.entry.Row`."""


def _followed() -> Any:
    """Batches whose state may differ from their operation's: on the way, or anchored and put on again after a reset."""
    # Only what is needed: in full mode an operation's call and raw bytes are 100 KiB each.
    op = outbox.Operation
    pairs = select(AnchorBatch, op.state, op.transaction, op.height, op.reason, op.detail).join(
        op, (op.key == AnchorBatch.operation) & (op.caller == CALLER)
    )
    moved = (AnchorBatch.status == PENDING) | (
        (AnchorBatch.status == ANCHORED)
        & (
            (op.state != outbox.SUCCEEDED)
            | op.height.is_distinct_from(AnchorBatch.height)
            | op.transaction.is_distinct_from(AnchorBatch.transaction)
        )
    )
    return pairs.where(moved).order_by(AnchorBatch.batch)


def _follow(batch: AnchorBatch, state: str, transaction: str | None, height: int | None, reason: str | None, detail: str) -> bool:
    """Take an operation's state over; True when the batch became anchored."""
    if state == outbox.SUCCEEDED:
        fresh = batch.status != ANCHORED
        batch.status, batch.reason = ANCHORED, None
        batch.transaction, batch.height = transaction, height
        return fresh
    if state == outbox.FAILED:
        batch.status, batch.reason = FAILED, f"{reason}: {detail}"
    else:
        batch.status = PENDING
    return False


def _leaves(session: Session, organisation: bytes, first: int, count: int) -> list[bytes]:
    """The 256-byte entries of a run, from rows and flat files. LookupError if the index has a hole."""
    found = pack_rows((organisation, *row) for row in _rows(session, first, count))
    files = _from_files(session, first, count) if len(found) < count else []
    leaves = sorted([*found, *files], key=lambda leaf: leaf[224:232]) if files else found
    if len(leaves) != count:
        raise LookupError(f"entries {first} to {first + count - 1}: {count - len(leaves)} are missing")
    return leaves


def _rows(session: Session, first: int, count: int) -> Iterator[Any]:
    run = select(*_PACKED).where(EntryRow.sequence >= first, EntryRow.sequence < first + count)
    return iter(session.execute(run.order_by(EntryRow.sequence)))


def _from_files(session: Session, first: int, count: int) -> Sequence[bytes]:
    overlapping = select(EntryFile).where(
        EntryFile.first_sequence < first + count, EntryFile.first_sequence + EntryFile.count > first
    )
    leaves: list[bytes] = []
    for file in session.scalars(overlapping):
        start, end = max(first, file.first_sequence), min(first + count, file.first_sequence + file.count)
        with Path(file.path).open("rb") as data:
            data.seek((start - file.first_sequence) * SIZE)
            block = data.read((end - start) * SIZE)
        leaves += [block[i : i + SIZE] for i in range(0, len(block), SIZE)]
    return leaves
