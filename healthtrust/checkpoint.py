"""Checkpoints: the block hashes of our own node, for those who verify proof bundles and trust us to say which chain is the chain.

In the consortium profile every member publishes its own, and a verifier takes several; here there is one node, and saying so is
part of the product (docs/security.md).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core import bundle
from gateway.ledger.factory import open_ledger
from gateway.settings import Settings

BLOCKS = 1000


def path_of(settings: Settings) -> Path:
    """Where our checkpoint lies."""
    return settings.path("checkpoint.json")


def checkpoint(settings: Settings, blocks: int = BLOCKS) -> dict[str, Any]:
    """The newest ``blocks`` block hashes with the ledger's facts, and its validators where they sign blocks (docs/formats.md
    §9). Raises LedgerError."""
    ledger = open_ledger(settings)
    try:
        info, head = ledger.info(), ledger.head()
        newest = [head.hash]
        for height in range(head.height - 1, max(0, head.height - blocks), -1):
            block = ledger.block(height)
            newest += [block.hash] if block else []
        proved = ledger.proof("Alliance", [bytes(32)], head.hash)
    finally:
        ledger.close()
    signers = proved.commit.validators if proved and proved.commit else None
    return bundle.checkpoint(info.chain, info.ledger_id, info.contracts, newest, signers)


def write_checkpoint(settings: Settings) -> dict[str, Any]:
    """Make a checkpoint and write it to :func:`path_of`."""
    made = checkpoint(settings)
    path_of(settings).write_text(json.dumps(made, indent=1), "utf-8")
    return made
