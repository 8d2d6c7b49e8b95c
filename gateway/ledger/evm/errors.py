"""One table from a node's words to reasons, in one context manager."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gateway.ledger.evm.abi import Abis
from gateway.ledger.evm.rpc import RpcError
from gateway.ledger.reasons import LedgerError, Reason, Stage

# First match wins. Words of anvil, geth, Besu and cosmos/evm; a message none of them uses is `internal`, never a guess.
_WORDS: tuple[tuple[Reason, tuple[str, ...]], ...] = (
    (Reason.DUPLICATE, (r"already (known|imported)", r"already in (mempool|pool|cache)", r"tx already exists")),
    (
        Reason.UNDERPRICED,
        (r"underpriced", r"max fee per gas less than", r"gas price (too low|below)", r"(fee too low|insufficient fee)"),
    ),
    (Reason.NONCE, (r"nonce", r"account sequence mismatch", r"gapped")),
    (
        Reason.REJECTED,
        (r"revert", r"custom error", r"vm execution error", r"insufficient funds", r"sender .*not allowed", r"permission"),
    ),
    (
        Reason.TOO_LARGE,
        (r"intrinsic gas", r"exceeds .*(gas|limit)", r"gas limit", r"out of gas", r"oversized", r"too (large|many)"),
    ),
    (Reason.NOT_FOUND, (r"not ?found", r"unknown block", r"missing trie", r"state .*(not available|pruned)", r"out ?of ?range")),
    (Reason.WRONG_CHAIN, (r"invalid chain", r"chain ?id", r"wrong chain")),
    (Reason.TIMEOUT, (r"time(d )?out",)),
    (Reason.INVALID_ARGUMENT, (r"invalid (params|argument)", r"deserializ", r"hex string")),
)
_TABLE = tuple((re.compile("|".join(words), re.IGNORECASE), reason) for reason, words in _WORDS)


@contextmanager
def translated(abis: Abis, stage: Stage, transaction: str | None = None) -> Iterator[None]:
    """Whatever the node says inside becomes a LedgerError of this stage, with the transaction's id."""
    try:
        yield
    except RpcError as e:
        raise to_ledger_error(e, abis, stage, transaction) from e
    except LedgerError as e:
        if e.stage == stage and e.transaction == transaction:
            raise
        raise LedgerError(e.reason, stage, e.transaction or transaction, e.detail) from e


def to_ledger_error(e: RpcError, abis: Abis, stage: Stage, transaction: str | None = None) -> LedgerError:
    """The table applied to one JSON-RPC error."""
    data = revert_data(e.data)
    if data is not None:
        return LedgerError(Reason.REJECTED, stage, transaction, abis.error(data))
    if e.message.strip(" :").lower() == "execution reverted":
        return LedgerError(Reason.REJECTED, stage, transaction, abis.error(b""))
    for pattern, reason in _TABLE:
        if pattern.search(e.message):
            return LedgerError(reason, stage, transaction, e.message)
    return LedgerError(Reason.INTERNAL, stage, transaction, str(e))


def revert_data(data: Any) -> bytes | None:
    """The bytes a contract reverted with, where nodes put them (a hex string, or nested in an object)."""
    if isinstance(data, dict):
        return revert_data(data.get("data") or data.get("result"))
    if isinstance(data, str) and data.startswith("0x") and len(data) >= 10 and len(data) % 2 == 0:
        return bytes.fromhex(data[2:])
    return None
