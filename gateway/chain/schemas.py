"""Bodies of /ledger, /blocks, /transactions, /health."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gateway.types import Model, Word


class BlockOut(Model):
    """A block of the chain as it is now."""

    height: int
    hash: Word
    parent: Word
    time: int
    transactions: list[str]


class LedgerOut(Model):
    """Which ledger this is, and the domains that signatures carry."""

    kind: str
    ledger: Word
    chain: int
    genesis: Word
    contracts: dict[str, str]
    domains: dict[str, str] = Field(description="Signature domain of each contract that checks signatures")
    finality: int
    head: BlockOut


class EventOut(Model):
    """What a contract reported."""

    contract: str
    name: str
    args: dict[str, Any]
    height: int
    block: Word
    index: int
    transaction: str


class TransactionOut(Model):
    """Where a transaction stands."""

    id: str
    status: str
    height: int | None
    block: str | None
    reason: str | None
    detail: str
    events: list[EventOut]


class HealthOut(Model):
    """The process runs."""

    status: str
    version: str


class ReadyOut(Model):
    """Whether it can do its work, part by part."""

    ready: bool
    parts: dict[str, str]
