"""From settings to an open ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.ledger.port import Ledger
from gateway.ledger.reasons import LedgerError, Reason
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.ledger.memory.chain import MemoryChain


def open_ledger(settings: Settings, account_key: bytes | None = None) -> Ledger:
    """Open the ledger the settings name. ``account_key``: our ledger account's private key (32 bytes); None = read only.

    Raises LedgerError wrong_chain, unreachable, not_found (no contracts file), and ValueError for a double in production.
    """
    if settings.ledger.kind == "memory":
        return _memory(settings, account_key)
    from gateway.ledger.evm.ledger import EvmLedger
    from gateway.ledger.evm.open import Deployment, Limits, connect

    chosen = settings.ledger
    limits = Limits(chosen.timeout_seconds, chosen.max_head_age_seconds, chosen.finality)
    return EvmLedger(connect(chosen.url, Deployment.read(settings.home / "contracts.json"), account_key, limits))


def found_in_memory(home: Path, chain: MemoryChain) -> None:
    """Let :func:`open_ledger` find this in-memory chain for every account of this home in this process."""
    _chains[home] = chain


def _memory(settings: Settings, account_key: bytes | None) -> Ledger:
    if settings.production:
        raise ValueError("production refuses the in-memory ledger")
    from gateway.ledger.memory.ledger import MemoryLedger

    chain = _chains.get(settings.home)
    if chain is None:
        raise LedgerError(Reason.NOT_FOUND, detail="no in-memory ledger was founded for this home in this process")
    return MemoryLedger(chain, account_key)


_chains: dict[Path, MemoryChain] = {}
