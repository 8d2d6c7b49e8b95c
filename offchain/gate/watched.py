"""The ledger while it is being healed.

To put lost writes on again, the outbox must look at the chain as it is: it tells the driver to expect nothing (``expect(None)``),
and from then on the driver's head is no longer checked against what we had seen. Nothing may be decided until the outbox accepts
the chain again (``expect(block)``), which it does only when everybody's writes are back.
"""

from __future__ import annotations

from gateway.ledger.port import Block, Ledger


class WatchedLedger:
    """A ledger that says whether its head may be decided on (``trusted``)."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.trusted = False
        self.info, self.head, self.block = ledger.info, ledger.head, ledger.block
        self.read, self.read_many, self.proof = ledger.read, ledger.read_many, ledger.proof
        self.prepare, self.submit, self.outcome = ledger.prepare, ledger.submit, ledger.outcome
        self.events, self.close = ledger.events, ledger.close

    def expect(self, block: Block | None) -> None:
        """As the driver's; distrusts before anything is forgotten, trusts after something is expected."""
        if block is None:
            self.trusted = False
        self._ledger.expect(block)
        if block is not None:
            self.trusted = True
