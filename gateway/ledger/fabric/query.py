"""Questions to a peer's own ledger (system chaincode ``qscc``): height, and blocks by number, hash and transaction."""

from __future__ import annotations

from typing import Any

from gateway.ledger.fabric.blocks import FabricBlock, read_block
from gateway.ledger.fabric.context import Context
from gateway.ledger.fabric.errors import translated
from gateway.ledger.fabric.gateway import Gateway
from gateway.ledger.fabric.proposal import Proposal
from gateway.ledger.fabric.protos import message
from gateway.ledger.reasons import LedgerError, Reason

_NOT_TEXT = "contains invalid UTF-8"
"""What a peer says of a block hash that it does not know: its own message about it cannot be encoded."""


def ask(gateway: Gateway, method: str, *args: bytes) -> Proposal:
    """The signed question."""
    return gateway.propose("qscc", [method.encode(), gateway.channel.encode(), *args])


def chain_info(ctx: Context) -> tuple[int, bytes]:
    """Height and hash of our peer's newest block."""
    with translated("prepare"):
        answer = ctx.gateway.evaluate(ask(ctx.gateway, "GetChainInfo"))
    return read_info(answer)


def read_info(answer: bytes) -> tuple[int, bytes]:
    """Height and hash of the newest block from ``common.BlockchainInfo``."""
    info: Any = message("common.BlockchainInfo").FromString(answer)
    return info.height - 1, bytes(info.currentBlockHash)


def by_height(ctx: Context, height: int) -> FabricBlock | None:
    """The block as our peer has it now."""
    return _block(ctx, "GetBlockByNumber", str(height).encode())


def by_hash(ctx: Context, hash: bytes) -> FabricBlock | None:
    """The block with this hash."""
    return _block(ctx, "GetBlockByHash", hash)


def by_transaction(ctx: Context, id: str) -> FabricBlock | None:
    """The block that has a transaction (64 hex digits)."""
    return _block(ctx, "GetBlockByTxID", id.encode())


def taken(ctx: Context, answer: bytes) -> FabricBlock:
    """A block as it came, read and remembered."""
    block = read_block(message("common.Block").FromString(answer))
    ctx.keep(block, len(answer))
    return block


def raw(ctx: Context, at: int | bytes) -> Any:
    """The whole block (``common.Block``) with this height or hash, or None."""
    method, arg = ("GetBlockByNumber", str(at).encode()) if isinstance(at, int) else ("GetBlockByHash", at)
    answer = _bytes(ctx, method, arg)
    return None if answer is None else message("common.Block").FromString(answer)


def _block(ctx: Context, method: str, arg: bytes) -> FabricBlock | None:
    answer = _bytes(ctx, method, arg)
    return None if answer is None else taken(ctx, answer)


def _bytes(ctx: Context, method: str, arg: bytes) -> bytes | None:
    try:
        with translated("prepare"):
            return ctx.gateway.evaluate(ask(ctx.gateway, method, arg))
    except LedgerError as e:
        if e.reason is Reason.NOT_FOUND or _NOT_TEXT in e.detail:
            return None
        raise
