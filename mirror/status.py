"""How a mirror is doing: where it stands, how far behind the chain that is, and what its follower last said."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from gateway.ledger.port import Ledger
from gateway.ledger.reasons import LedgerError
from gateway.settings import Settings
from mirror import condition
from mirror.checkpoint import load
from mirror.database import Database
from mirror.models import BLOCK
from mirror.run import ledger_of

#: A follower that has said nothing for so long is not running.
SILENT_SECONDS = 30


@dataclass(frozen=True)
class Status:
    """``height``, ``hash``, ``digest``: the last block in the mirror (height −1: none). ``head``: the node's newest block,
    None if it does not answer. ``lag_blocks``: blocks missing; ``lag_seconds``: age of the oldest of them, 0 when none is
    missing, None if the node does not answer. ``state``: the follower's last word, or ``silent`` when it has not been heard of
    for 30 seconds, or ``never ran``."""

    state: str
    detail: str
    height: int
    hash: str
    digest: str
    time: int | None
    head: int | None
    lag_blocks: int | None
    lag_seconds: float | None
    unwound: int
    seen: int | None
    ledger_id: str

    def json(self) -> dict[str, Any]:
        """For APIs and ``--json``."""
        return asdict(self)


def status(settings: Settings) -> Status:
    """Status of the mirror the settings name. Raises DatabaseUnavailable; a node that does not answer is part of the status."""
    database = Database(settings.mirror_database())
    try:
        database.prepare()
        try:
            ledger = ledger_of(settings)
        except LedgerError as e:
            return status_of(database, None, str(e))
        try:
            return status_of(database, ledger)
        finally:
            ledger.close()
    finally:
        database.close()


def status_of(database: Database, ledger: Ledger | None, trouble: str = "") -> Status:
    """Status of an open mirror beside an open ledger (None: it could not be opened, ``trouble`` says why)."""
    with database.read() as connection:
        found, said = load(connection), condition.read(connection)
        height = found[1].height if found else -1
        at = connection.scalar(sa.select(BLOCK.c.time).where(BLOCK.c.height == height))
    head, lag, trouble = _lag(ledger, height, trouble)
    state: str = "never ran" if said is None else said.state
    if said is not None and state not in ("halted", "stopped") and time.time() - said.seen > SILENT_SECONDS:
        state = "silent"
    return Status(
        state=state,
        detail=trouble or (said.detail if said else ""),
        height=height,
        hash=_hex(found[1].hash if found else b""),
        digest=_hex(found[1].digest if found else b""),
        time=at,
        head=head,
        lag_blocks=None if head is None else max(0, head - height),
        lag_seconds=lag,
        unwound=said.unwound if said else 0,
        seen=said.seen if said else None,
        ledger_id=_hex(found[0].ledger_id if found else b""),
    )


def _lag(ledger: Ledger | None, height: int, trouble: str) -> tuple[int | None, float | None, str]:
    if ledger is None:
        return None, None, trouble
    try:
        head = ledger.head().height
        missing = ledger.block(height + 1) if head > height else None
    except LedgerError as e:
        return None, None, str(e)
    return head, round(max(0.0, time.time() - missing.time), 3) if missing else 0.0, trouble


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
