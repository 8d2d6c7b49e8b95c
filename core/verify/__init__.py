"""Check a proof bundle without trusting anybody who made it. Python's standard library only, no network.

    python -m core.verify bundle.json [--trust checkpoint.json] [--lang zh|en] [--json]

Written on purpose without a line of the code that makes bundles: own SM2 and Ed25519 verification, SM3 fallback, Keccak-256, RLP,
Merkle-Patricia and ICS-23 proofs, canonical JSON and decision. This folder is whole by itself: copied anywhere, ``python -m
verify`` does the same. Format: docs/formats.md (sections 1 to 9); the rooms are those of the browser's checker
(apps/web/kit/src/check). Exit code: 0 everything shown is true and nothing needed is missing; 1 something is false; 2 not a
proof bundle; 3 true as far as shown, but the ledger's evidence or a trusted checkpoint is missing.
"""

from .report import Line, Report
from .verdict import verify

__all__ = ["Line", "Report", "verify"]
