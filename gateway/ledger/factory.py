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
    if settings.ledger.kind == "fabric":
        return _fabric(settings, account_key)
    from gateway.ledger.evm.ledger import EvmLedger
    from gateway.ledger.evm.open import Deployment, Limits, connect

    chosen = settings.ledger
    limits = Limits(chosen.timeout_seconds, chosen.max_head_age_seconds, chosen.finality, chosen.witness_url)
    return EvmLedger(connect(chosen.url, Deployment.read(settings.home / "contracts.json"), account_key, limits))


def found_in_memory(home: Path, chain: MemoryChain) -> None:
    """Let :func:`open_ledger` find this in-memory chain for every account of this home in this process."""
    _chains[home] = chain


def _fabric(settings: Settings, account_key: bytes | None) -> Ledger:
    from gateway.ledger.fabric.ledger import FabricLedger
    from gateway.ledger.fabric.open import Deployment, Limits, connect
    from gateway.ledger.fabric.profile import Profile
    from gateway.ledger.fabric.wallet import identity_in

    chosen, place = settings.ledger, settings.ledger.fabric
    wallet = Path(place.wallet or settings.home / "fabric" / "wallet")
    profile = Profile.read(Path(place.profile or settings.home / "fabric" / "profile.json"))
    return FabricLedger(
        connect(
            profile,
            Deployment.read(settings.home / "contracts.json"),
            identity_in(wallet, [place.msp] if place.msp else profile.peers, account_key),
            Limits(chosen.timeout_seconds, chosen.max_head_age_seconds),
            writes=account_key is not None,
        )
    )


def _memory(settings: Settings, account_key: bytes | None) -> Ledger:
    if settings.production:
        raise ValueError("production refuses the in-memory ledger")
    from gateway.ledger.memory.ledger import MemoryLedger

    chain = _chains.get(settings.home)
    if chain is None:
        raise LedgerError(Reason.NOT_FOUND, detail="no in-memory ledger was founded for this home in this process")
    return MemoryLedger(chain, account_key)


_chains: dict[Path, MemoryChain] = {}
