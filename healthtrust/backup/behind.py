"""What the ledger holds of a custodian's that this home does not: what a backup was too old for."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, inspect, select
from sqlalchemy.orm import DeclarativeBase

from core.ids import organisation_id
from gateway.ledger.db import open_engine
from gateway.ledger.factory import open_ledger
from gateway.ledger.port import Call, Ledger
from gateway.settings import Settings
from healthtrust.backup import inventory
from offchain.models import AnchorBatch
from offchain.receipts import HeadRow


@dataclass(frozen=True)
class Behind:
    """One custodian. ``receipts``, ``batches``: how many the ledger has that are not here."""

    code: str
    receipts: int
    batches: int

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return not (self.receipts or self.batches)

    def __str__(self) -> str:
        if self.whole:
            return f"{self.code}: everything the ledger holds is here"
        return (
            f"{self.code}: {self.receipts} receipts and {self.batches} index batches are on the ledger and not here. "
            "Restore a newer backup: the gate serves nothing while receipts are missing"
        )


def behind(settings: Settings, ledger: Ledger | None = None) -> list[Behind]:
    """Every custodian of the settings. Raises LedgerError."""
    with closing(ledger or open_ledger(settings, None)) as asked:
        return [_behind(settings, asked, gate.code) for gate in settings.gates]


def _behind(settings: Settings, ledger: Ledger, code: str) -> Behind:
    organisation = organisation_id(code)
    asked = {"organisation": organisation}
    receipts, index = ledger.read_many([Call("Access", "receiptsOf", asked), Call("DataIndex", "headOf", asked)])
    here = _here(settings, code, organisation)
    return Behind(code, max(0, receipts["nextNumber"] - here[0]), max(0, index["batches"] - here[1]))


def _here(settings: Settings, code: str, organisation: bytes) -> tuple[int, int]:
    """Receipts and index batches in the databases."""
    urls = inventory.databases(settings)
    own = urls[f"custodian-{code}"]
    receipts = number(urls.get(f"receipts-{code}", own), HeadRow, select(HeadRow.next).where(HeadRow.store == organisation))
    return receipts, number(own, AnchorBatch, select(func.count()).select_from(AnchorBatch))


def number(url: str, table: type[DeclarativeBase], query: Select[Any]) -> int:
    """What a query counts in a database, 0 where it has no such table."""
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            there = inspect(connection).has_table(table.__tablename__)
            return int(connection.scalar(query) or 0) if there else 0
    finally:
        engine.dispose()
