"""A block for a channel on which nobody writes, so that an old head is a sick one here too.

A Fabric channel makes no blocks while nobody writes. Who needs to know that the head is still the newest then sends a transaction
that changes nothing, and waits until our own peer has it: a majority of members' peers endorsed it, the ordering service took it,
and our peer has everything that was ordered before. A peer that is cut off never shows it. Nobody sends one while nobody asks.
"""

from __future__ import annotations

from gateway.ledger.fabric.context import Context
from gateway.ledger.fabric.written import written
from gateway.ledger.port import Call

NOTHING = Call("Alliance", "ledgerId")
"""A question: ordered, it writes nothing and reports nothing."""


def beat(ctx: Context) -> None:
    """Bring about one block and wait until our peer has it. Raises LedgerError."""
    written(ctx.gateway, ctx.propose(ctx.encode(NOTHING)), ctx.codec.refusal, ctx.gateway.timeout)
