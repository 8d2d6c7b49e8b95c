"""Blocks by height or hash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.ledger.evm.context import Context
from gateway.ledger.evm.errors import translated
from gateway.ledger.port import Block
from gateway.ledger.reasons import LedgerError, Reason


def block(ctx: Context, height_or_hash: int | bytes) -> Block | None:
    """A block of the canonical chain, or None."""
    answer = fetch(ctx, height_or_hash)
    return None if answer is None else from_json(answer)


def blocks(ctx: Context, heights: Sequence[int]) -> list[Block | None]:
    """The blocks at these heights, None where there is none (yet)."""
    with translated(ctx.abis, "prepare"):
        answers = ctx.rpc.all([("eth_getBlockByNumber", [hex(height), False]) for height in heights])
    return [from_json(found) if (found := _object(answer)) is not None else None for answer in answers]


def fetch(ctx: Context, height_or_hash: int | bytes) -> dict[str, Any] | None:
    """The node's JSON for a block of the canonical chain, or None. A hash may name a block that a reorganisation put aside,
    which nodes still serve: it counts only if it is the one at its height."""
    try:
        with translated(ctx.abis, "prepare"):
            if isinstance(height_or_hash, int):
                return _object(ctx.rpc.call("eth_getBlockByNumber", hex(height_or_hash), False))
            found = _object(ctx.rpc.call("eth_getBlockByHash", "0x" + height_or_hash.hex(), False))
            if found is None:
                return None
            canonical = _object(ctx.rpc.call("eth_getBlockByNumber", found["number"], False))
            return canonical if canonical is not None and canonical["hash"] == found["hash"] else None
    except LedgerError as e:
        if e.reason is Reason.NOT_FOUND:
            return None
        raise


def from_json(answer: dict[str, Any]) -> Block:
    """The port's block from the node's JSON (transactions by hash)."""
    return Block(
        height=int(answer["number"], 16),
        hash=bytes.fromhex(answer["hash"][2:]),
        parent=bytes.fromhex(answer["parentHash"][2:]),
        time=int(answer["timestamp"], 16),
        transactions=tuple(t if isinstance(t, str) else t["hash"] for t in answer["transactions"]),
    )


def _object(answer: Any) -> dict[str, Any] | None:
    return answer if isinstance(answer, dict) else None
