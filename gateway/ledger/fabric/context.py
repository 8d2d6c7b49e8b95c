"""What every verb of the driver needs: the peers, the types, who we are, the block we must not lose, and blocks we have read."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.ledger.fabric.blocks import FabricBlock
from gateway.ledger.fabric.codec import Codec, Invocation
from gateway.ledger.fabric.gateway import Gateway
from gateway.ledger.fabric.proposal import Proposal
from gateway.ledger.port import Block, Call, LedgerInfo
from gateway.ledger.reasons import LedgerError, Reason

SENT_SECONDS = 30.0
"""How long a transaction the ordering service took is ``pending`` while no block has it; then it counts as forgotten."""
_KEPT_BYTES = 32 * 1024 * 1024
_KEPT_BLOCKS = 4096
_KEPT_IDS = 10_000


@dataclass
class Context:
    """One open ledger. ``max_head_age``: seconds; an older head is no answer. ``clock``: UTC seconds since 1970.
    ``info.account`` empty: read-only. ``beating``: held by who brings about a block; ``beat_after``: when that may be tried again
    (monotonic seconds); ``unmoved``: why it failed last."""

    gateway: Gateway
    codec: Codec
    info: LedgerInfo
    chaincode: str
    max_head_age: float
    clock: Callable[[], float] = time.time
    lock: threading.Lock = field(default_factory=threading.Lock)
    expected: Block | None = None
    newest: FabricBlock | None = None
    kept: OrderedDict[int, tuple[FabricBlock, int]] = field(default_factory=OrderedDict)
    kept_bytes: int = 0
    sent: dict[str, float] = field(default_factory=dict)
    unsent: set[str] = field(default_factory=set)
    beating: threading.Lock = field(default_factory=threading.Lock)
    beat_after: float = float("-inf")
    unmoved: str = ""

    def encode(self, call: Call) -> Invocation:
        """The call as the chaincode takes it. Raises LedgerError invalid_argument."""
        if call.contract not in self.info.contracts:
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"this ledger has no contract {call.contract}")
        return self.codec.encode(call)

    def propose(self, invocation: Invocation) -> Proposal:
        """The signed proposal of a call."""
        return self.gateway.propose(self.chaincode, invocation.args, invocation.transient)

    def require_account(self, account: str | None) -> None:
        """Raises LedgerError invalid_argument when opened without a key or for another account."""
        if not self.info.account:
            raise LedgerError(Reason.INVALID_ARGUMENT, detail="this ledger was opened without an account key: it only reads")
        if account is not None and account.lower() != self.info.account:
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"no key for account {account}; ours is {self.info.account}")

    def keep(self, block: FabricBlock, size: int) -> None:
        """Remember a block that was read; the oldest are forgotten. ``size``: of its bytes."""
        with self.lock:
            if block.height in self.kept:
                return
            self.kept[block.height] = block, size
            self.kept_bytes += size
            while self.kept_bytes > _KEPT_BYTES or len(self.kept) > _KEPT_BLOCKS:
                self.kept_bytes -= self.kept.popitem(last=False)[1][1]

    def read_before(self, height: int) -> FabricBlock | None:
        """A block that was read and cannot have changed since: it is below one that the chain was seen to contain."""
        with self.lock:
            if self.expected is None or height > self.expected.height or height not in self.kept:
                return None
            return self.kept[height][0]

    def forget(self) -> None:
        """Rely on nothing that was read."""
        with self.lock:
            self.kept.clear()
            self.kept_bytes = 0
            self.newest = None

    def note_unsent(self, id: str) -> None:
        """This transaction (0x…) was made just now, and nobody has it yet."""
        with self.lock:
            if len(self.unsent) >= _KEPT_IDS:
                self.unsent.clear()  # they are looked for before they are sent, that is all
            self.unsent.add(id)

    def take_unsent(self, id: str) -> bool:
        """Whether it was noted by :meth:`note_unsent`; from now on it is not."""
        with self.lock:
            known = id in self.unsent
            self.unsent.discard(id)
            return known

    def note_sent(self, id: str) -> None:
        """The ordering service took this transaction (0x…) just now."""
        now = time.monotonic()
        with self.lock:
            self.sent[id] = now
            if len(self.sent) > _KEPT_IDS:
                self.sent = {i: at for i, at in self.sent.items() if now - at < SENT_SECONDS}

    def lately_sent(self, id: str) -> bool:
        """Whether it may still be on its way into a block."""
        at = self.sent.get(id)
        return at is not None and time.monotonic() - at < SENT_SECONDS
