"""What a gate does besides answering: receipts to the ledger and to the gateway, the outbox, and coming back after a ledger
that lost blocks.

Every process of a gate compares its receipts with the ledger before it serves, and heals its own connection after a reset.
One of them, the one that holds the lock file, also writes: the outbox, receipt batches, publication. Crash order of a batch:
its row first, then the outbox operation under a key made from the row; a start that finds a row without an operation makes
it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import structlog
from sqlalchemy import select

from core.errors import HealthTrustError
from gateway.ledger import outbox
from gateway.ledger.db import writing
from gateway.ledger.outbox import Operation, Sessions
from gateway.ledger.port import Call, Ledger
from gateway.ledger.reasons import LedgerError, Reason
from offchain.gate.watched import WatchedLedger
from offchain.receipts import Batch, ReceiptLog, ReceiptsDamaged

log = structlog.get_logger("gate")


class Publisher(Protocol):
    """Where settled receipts are shown to the residents they concern."""

    def publish(self, batch: Batch, rows: Sequence[Any]) -> bool:
        """Hand over the receipts of a batch; True when they were taken. Doing it again is no error."""

    def close(self) -> None:
        """Let go of connections."""


def drive(sessions: Sessions, ledger: Ledger) -> None:
    """Send and settle what the outbox holds. Unlike :func:`outbox.work` it never accepts a chain that lost blocks: that is for
    :class:`Keeper` alone. Raises LedgerError."""
    outbox.flush(sessions, ledger)
    outbox.settle(sessions, ledger)


class Leadership:
    """The lock that makes one process of a gate the writing one; released by the system when it dies."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.held = False

    def take(self) -> bool:
        """Try once."""
        if not self.held:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self.held = True
        return True

    def close(self) -> None:
        """Let go."""
        os.close(self._fd)


class Keeper:
    """The background work of one process. ``checked`` is false until the receipts were found to agree with the ledger."""

    def __init__(
        self,
        receipts: ReceiptLog,
        sessions: Sessions,
        ledger: WatchedLedger,
        leadership: Leadership,
        publisher: Publisher,
        confirm: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        """``confirm``: whether the others' writes are back after a reset (asked of the gateway)."""
        self._receipts = receipts
        self._sessions = sessions
        self._ledger = ledger
        self._leadership = leadership
        self._publisher = publisher
        self._confirm = confirm
        self._clock = clock
        self.checked = False

    async def run(self, seconds: float) -> None:
        """One pass every so many seconds, until cancelled."""
        while True:
            await asyncio.to_thread(self.once)
            await asyncio.sleep(seconds)

    def once(self) -> None:
        """One pass; what fails now is logged and tried again at the next."""
        try:
            self._pass()
        except (LedgerError, ReceiptsDamaged) as e:
            self.checked = self.checked and not isinstance(e, ReceiptsDamaged)
            log.warning("gate keeper", error=str(e))
        except (HealthTrustError, OSError) as e:
            log.warning("gate keeper", error=str(e))

    def close(self) -> None:
        """Let another process lead."""
        self._leadership.close()

    def compare(self) -> None:
        """Receipts against the ledger. Raises ReceiptsDamaged or LedgerError."""
        known = self._ledger.read(Call("Access", "receiptsOf", {"organisation": self._receipts.store}))
        self._receipts.against(known["nextNumber"], known["headHash"])
        self.checked = True

    def record_evidence(self, kind: bytes, digest: bytes) -> None:
        """Put a digest on the ledger through the outbox. ``kind``: a kind word."""
        call = Call("Evidence", "record", {"kind": kind, "digest": digest})
        with self._sessions.begin() as session:
            writing(session)
            outbox.enqueue(session, f"evidence/{digest.hex()}", "evidence", call)

    def _pass(self) -> None:
        self._heal()
        if not self._ledger.trusted:
            if self._leadership.take():
                drive(self._sessions, self._ledger)
            return
        if not self.checked:
            self.compare()
        self._receipts.flush()
        if self._leadership.take():
            self._lead()

    def _heal(self) -> None:
        """Accept the chain only if it holds every block we decided on; else put our writes on again and ask whether the others'
        are back. Until then the ledger is not trusted, and nothing is served."""
        try:
            if self._ledger.trusted:
                self._ledger.head()
                return
            lost = not self._receipts_fit()
        except LedgerError as e:
            if e.reason is not Reason.RESET:
                raise
            self._ledger.trusted, lost = False, True
        if lost:
            self._note_loss()
        self._ledger.trusted = outbox.reconcile(self._sessions, self._ledger, self._confirm)

    def _receipts_fit(self) -> bool:
        """Whether the block of our newest decision is still there: the outbox's own mark may be a moment older."""
        block = self._receipts.newest_block()
        return block is None or self._ledger.block(block) is not None

    def _note_loss(self) -> None:
        with self._sessions.begin() as session:
            writing(session)
            mark = session.get(outbox.Mark, 1)
            if mark is None:
                session.add(outbox.Mark(height=0, block="", time=0, lost=True))
            else:
                mark.lost = True

    def _lead(self) -> None:
        self._receipts.forget_nonces(int(self._clock()))
        self._batch()
        drive(self._sessions, self._ledger)
        self._settle()
        self._publish()

    def _batch(self) -> None:
        batch = self._receipts.open_batch() or self._receipts.new_batch()
        if batch is None:
            return
        args = {"root": batch.root, "firstNumber": batch.first, "count": batch.count, "headHash": batch.head}
        with self._sessions.begin() as session:
            writing(session)
            outbox.enqueue(session, batch.operation, "receipts", Call("Access", "record", args))

    def _settle(self) -> None:
        batch = self._receipts.open_batch()
        if batch is None:
            return
        with self._sessions() as session:
            row = session.scalar(select(Operation).where(Operation.caller == "", Operation.key == batch.operation))
        if row is None or row.state not in (outbox.SUCCEEDED, outbox.FAILED):
            return
        if row.state == outbox.FAILED:
            self.compare()
            self._receipts.retry_batch(batch)
            return
        events = self._ledger.outcome(row.transaction or "").events
        number = next((e.args["batch"] for e in events if e.name == "ReceiptsRecorded"), None)
        if number is not None and row.height is not None:
            self._receipts.settle_batch(batch, number, row.height)

    def _publish(self) -> None:
        for batch in self._receipts.unpublished():
            rows = self._receipts.rows(batch.first, batch.count)
            if not self._publisher.publish(batch, rows):
                return
            self._receipts.published(batch)
