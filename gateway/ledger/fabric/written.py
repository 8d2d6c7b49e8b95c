"""A call all the way into a block, for who can wait: everybody else prepares, stores and submits (the port)."""

from __future__ import annotations

from gateway.ledger.fabric.blocks import VALID
from gateway.ledger.fabric.errors import Refusal, translated, validation_error
from gateway.ledger.fabric.gateway import Gateway
from gateway.ledger.fabric.proposal import Proposal
from gateway.ledger.reasons import LedgerError


def written(gateway: Gateway, proposed: Proposal, refusal: Refusal, timeout: float) -> int:
    """Have a call endorsed and ordered, and wait at most ``timeout`` seconds until our peer has it: the height of its block.
    Raises LedgerError, of stage commit when it is in a block and does not count."""
    id = "0x" + proposed.id
    with translated("endorse", id, refusal):
        transaction = gateway.endorse(proposed)
    with translated("submit", id):
        gateway.submit(proposed.id, transaction)
    with translated("commit", id):
        status = gateway.commit_status(proposed.id, timeout)
    if status.code != VALID:
        raise LedgerError(validation_error(status.code), "commit", id, status.code)
    return status.height
