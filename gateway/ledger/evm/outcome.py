"""Where a write stands."""

from __future__ import annotations

from typing import Any

from gateway.ledger.evm.context import Context
from gateway.ledger.evm.errors import to_ledger_error, translated
from gateway.ledger.evm.events import decode_logs
from gateway.ledger.evm.rpc import RpcError
from gateway.ledger.port import Outcome
from gateway.ledger.reasons import LedgerError, Reason


def outcome(ctx: Context, id: str) -> Outcome:
    """One write's state."""
    return outcome_many(ctx, [id])[0]


def outcome_many(ctx: Context, ids: list[str]) -> list[Outcome]:
    """Many writes' states: one round trip, and one more for those without a receipt."""
    with translated(ctx.abis, "commit", ids[0] if len(ids) == 1 else None):
        head, *receipts = ctx.rpc.batch([("eth_blockNumber", []), *(("eth_getTransactionReceipt", [id]) for id in ids)])
        if isinstance(head, RpcError):
            raise head
        found = {id: r for id, r in zip(ids, receipts, strict=True) if isinstance(r, dict)}
        missing = [id for id in ids if id not in found]
        known = dict(zip(missing, ctx.rpc.batch([("eth_getTransactionByHash", [id]) for id in missing]), strict=True))
    return [_mined(ctx, id, found[id], int(head, 16)) if id in found else _unmined(id, known[id]) for id in ids]


def _unmined(id: str, transaction: Any) -> Outcome:
    return Outcome(id, "pending" if isinstance(transaction, dict) else "unknown")


def _mined(ctx: Context, id: str, receipt: dict[str, Any], head: int) -> Outcome:
    height, block = int(receipt["blockNumber"], 16), bytes.fromhex(receipt["blockHash"][2:])
    if head - height < ctx.info.finality:
        return Outcome(id, "pending", height, block)
    if int(receipt["status"], 16) == 1:
        return Outcome(id, "committed", height, block, events=tuple(decode_logs(ctx, receipt["logs"])))
    return Outcome(id, "failed", height, block, Reason.REJECTED, _why(ctx, id, height))


def _why(ctx: Context, id: str, height: int) -> str:
    """The contract's error, by trying the transaction once more on the state before its block (receipts do not carry it)."""
    try:
        tx = ctx.rpc.call("eth_getTransactionByHash", id)
        again = {"from": tx["from"], "to": tx["to"], "data": tx["input"], "gas": tx["gas"]}
        for at in (hex(height - 1), hex(height)):
            answer = ctx.rpc.batch([("eth_call", [again, at])])[0]
            if isinstance(answer, RpcError):
                return to_ledger_error(answer, ctx.abis, "commit", id).detail
    except (RpcError, LedgerError) as e:
        return f"unknown: {e}"
    return "unknown: it passes when tried again; what it met in its block is gone"
