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
    return None if answer is None else _at(height_or_hash, answer)


def blocks(ctx: Context, heights: Sequence[int]) -> list[Block | None]:
    """The blocks at these heights, None where there is none (yet)."""
    with translated(ctx.abis, "prepare"):
        answers = ctx.rpc.all([("eth_getBlockByNumber", [hex(height), False]) for height in heights])
    found = [_object(answer) for answer in answers]
    return [None if block is None else _at(height, block) for height, block in zip(heights, found, strict=True)]


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


def _at(height_or_hash: int | bytes, answer: dict[str, Any]) -> Block:
    """The block asked for. A chain that begins at block 1 answers with it when asked for block 0: then block 0 is what block 1
    calls its parent, so that every chain has heights from 0 without a gap."""
    found = from_json(answer)
    if height_or_hash == 0 and found.height == 1:
        return Block(0, found.parent, bytes(32), found.time)
    return found


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
