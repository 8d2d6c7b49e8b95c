"""Checkpoints: the block hashes of our own node, for those who verify proof bundles and trust us to say which chain is the chain.

In the consortium profile every member publishes its own, and a verifier takes several; here there is one node, and saying so is
part of the product (docs/security.md).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core import bundle
from core.bundle import Validators
from gateway.ledger.factory import open_ledger
from gateway.ledger.port import LedgerProof
from gateway.settings import Settings

BLOCKS = 1000


def path_of(settings: Settings) -> Path:
    """Where our checkpoint lies."""
    return settings.path("checkpoint.json")


def checkpoint(settings: Settings, blocks: int = BLOCKS) -> dict[str, Any]:
    """The newest ``blocks`` block hashes with the ledger's facts, and whose signatures count where blocks or answers are
    signed (docs/formats.md §9). Raises LedgerError."""
    ledger = open_ledger(settings)
    try:
        info, head = ledger.info(), ledger.head()
        newest = [head.hash]
        for height in range(head.height - 1, max(0, head.height - blocks), -1):
            block = ledger.block(height)
            newest += [block.hash] if block else []
        contract, slot = ("", b"Alliance.ledgerId\0{}") if info.endorses else ("Alliance", bytes(32))
        proved = ledger.proof(contract, [slot], head.hash)
    finally:
        ledger.close()
    return bundle.checkpoint(info.chain, info.ledger_id, info.contracts, newest, _signers(proved))


def _signers(proved: LedgerProof | None) -> Validators | dict[str, Any] | None:
    """Whose signatures on blocks or answers count, where the ledger has any."""
    if proved is None:
        return None
    if proved.endorsed is not None:
        return bundle.fabric_signers(proved.endorsed)
    return proved.commit.validators if proved.commit else None


def write_checkpoint(settings: Settings) -> dict[str, Any]:
    """Make a checkpoint and write it to :func:`path_of`."""
    made = checkpoint(settings)
    path_of(settings).write_text(json.dumps(made, indent=1), "utf-8")
    return made
