"""The driver's verbs in one place, as :class:`gateway.ledger.driver.Verbs` wants them; each is written in its own file."""

from __future__ import annotations

from gateway.ledger.fabric.block import block, blocks
from gateway.ledger.fabric.events import events
from gateway.ledger.fabric.head import expect, head
from gateway.ledger.fabric.open import close
from gateway.ledger.fabric.outcome import outcome_many
from gateway.ledger.fabric.prepare import prepare
from gateway.ledger.fabric.proof import proof
from gateway.ledger.fabric.read import read_many
from gateway.ledger.fabric.submit import submit_many

__all__ = [
    "block",
    "blocks",
    "close",
    "events",
    "expect",
    "head",
    "outcome_many",
    "prepare",
    "proof",
    "read_many",
    "submit_many",
]
