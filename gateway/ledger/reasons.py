"""Why a ledger did not do what was asked: a closed list, each naming the next step, and the one error that carries it.

The list is the same for every driver, so that callers branch on a reason and never on a driver's words.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from core.errors import ForPeople

Stage = Literal["prepare", "endorse", "submit", "commit"]


class Reason(StrEnum):
    """What went wrong. :attr:`retry` says whether the same bytes may be sent again, :attr:`advice` who does what next."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    DENIED = "denied"
    NONCE = "nonce"
    CONFLICT = "conflict"
    ENDORSEMENT = "endorsement"
    UNDERPRICED = "underpriced"
    DUPLICATE = "duplicate"
    BEHIND = "behind"
    RESET = "reset"
    WRONG_CHAIN = "wrong_chain"
    INVALID_ARGUMENT = "invalid_argument"
    TOO_LARGE = "too_large"
    INTERNAL = "internal"

    @property
    def retry(self) -> bool:
        """True when sending the same thing again later can help without anybody changing anything."""
        return self in _RETRY

    @property
    def advice(self) -> str:
        """One sentence: who can do what next."""
        return _ADVICE[self]


_RETRY = frozenset({Reason.UNREACHABLE, Reason.TIMEOUT, Reason.BEHIND, Reason.RESET})

_ADVICE: dict[Reason, str] = {
    Reason.UNREACHABLE: "The node did not answer: the operator looks at the node; stored writes are sent when it is back.",
    Reason.TIMEOUT: "The node took too long; the write may have arrived: ask for its outcome before sending it again.",
    Reason.NOT_FOUND: "The node does not know this block, transaction or contract: check the identifier.",
    Reason.REJECTED: "The contract said no: the caller reads the detail (the contract's error name) and changes the request.",
    Reason.DENIED: "The network does not let our identity do this: the operator looks at certificate and membership.",
    Reason.NONCE: "The account's counter moved: the outbox takes a fresh number and signs again.",
    Reason.CONFLICT: "Something it had read changed before it was ordered; it did nothing: the outbox prepares it again.",
    Reason.ENDORSEMENT: "Too few organisations' peers said the same: the outbox prepares it again; if it lasts, the operators "
    "compare the peers' chaincode and heights.",
    Reason.UNDERPRICED: "The node wants a higher fee: the outbox replaces the transaction, or the operator sets a fee.",
    Reason.DUPLICATE: "The node already has this transaction: ask for its outcome.",
    Reason.BEHIND: "The node's head is too old: the operator looks at clock and peers; nothing is decided meanwhile.",
    Reason.RESET: "The node lost blocks we had seen: writes are put on again by reconcile; nothing is decided meanwhile.",
    Reason.WRONG_CHAIN: "This is another ledger: the operator corrects the node's address or the contracts file.",
    Reason.INVALID_ARGUMENT: "The call does not fit the contract: the programmer corrects it.",
    Reason.TOO_LARGE: "More than the node takes at once: send or ask for less.",
    Reason.INTERNAL: "The node failed in a way we do not know: the operator reads its log.",
}


class LedgerError(ForPeople):
    """A ledger did not do it.

    ``stage`` says how far a write got; ``transaction`` is its id where there is one (look it up before trying again);
    ``detail`` is for people, except for ``rejected``, where its first word is the contract's error name.
    """

    def __init__(self, reason: Reason, stage: Stage = "prepare", transaction: str | None = None, detail: str = "") -> None:
        super().__init__(f"{reason.value} at {stage}{f' of {transaction}' if transaction else ''}: {detail or reason.advice}")
        self.reason = reason
        self.stage: Stage = stage
        self.transaction = transaction
        self.detail = detail

    @property
    def error(self) -> str:
        """Name of the contract's error (``rejected`` only), else the reason."""
        return self.detail.split("(", 1)[0].split(" ", 1)[0] if self.reason is Reason.REJECTED else self.reason.value
