"""The Fabric driver."""

from __future__ import annotations

from gateway.ledger.driver import Driver
from gateway.ledger.fabric import verbs
from gateway.ledger.fabric.context import Context


class FabricLedger(Driver[Context]):
    """A chaincode on a Fabric channel, over our peers. Build it with :func:`gateway.ledger.factory.open_ledger`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, verbs)
