"""The EVM driver."""

from __future__ import annotations

from typing import Any

from gateway.ledger.driver import Driver
from gateway.ledger.evm import verbs
from gateway.ledger.evm.context import Context
from gateway.ledger.port import Call


class EvmLedger(Driver[Context]):
    """An EVM chain behind JSON-RPC. Build it with :func:`gateway.ledger.factory.open_ledger`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, verbs)

    def question(self, call: Call) -> dict[str, Any]:
        """The transaction object that puts this call to a node oneself (``eth_call``). Raises LedgerError invalid_argument."""
        return self._ctx.encode(call)[1]
