"""The driver's verbs in one place, as :class:`gateway.ledger.driver.Verbs` wants them; each is written in its own file."""

from __future__ import annotations

from gateway.ledger.evm.block import block, blocks
from gateway.ledger.evm.context import Context
from gateway.ledger.evm.events import events
from gateway.ledger.evm.head import expect, head
from gateway.ledger.evm.outcome import outcome_many
from gateway.ledger.evm.prepare import prepare
from gateway.ledger.evm.proof import proof
from gateway.ledger.evm.read import read_many
from gateway.ledger.evm.submit import submit_many

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


def close(ctx: Context) -> None:
    """Drop the connections."""
    ctx.close()
