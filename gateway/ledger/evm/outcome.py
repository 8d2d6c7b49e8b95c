"""Where a write stands."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from gateway.ledger.evm.context import Context
from gateway.ledger.evm.errors import to_ledger_error, translated
from gateway.ledger.evm.events import decode_logs
from gateway.ledger.evm.rpc import Request, RpcError
from gateway.ledger.port import Outcome
from gateway.ledger.reasons import LedgerError, Reason

TAKEN_SECONDS = 10.0
YOUNG_BLOCKS = 64
FEW = 4
"""So many receipts are asked for one by one before whole blocks of them are."""
UNSPECIFIED = -32000
_UNKNOWN = re.compile(r"(tx|transaction) not found", re.IGNORECASE)


def outcome_many(ctx: Context, ids: list[str]) -> list[Outcome]:
    """Many writes' states: one round trip, and one more for those without a receipt; on a CometBFT chain one a block."""
    with translated(ctx.abis, "commit", ids[0] if len(ids) == 1 else None):
        head, found = _receipts(ctx, ids, FEW if ctx.comet else len(ids))
        known = known_to(ctx, [id for id in ids if id not in found])
    return [
        _mined(ctx, id, found[id], int(head, 16)) if id in found else Outcome(id, "pending" if id in known else "unknown")
        for id in ids
    ]


def _receipts(ctx: Context, ids: Sequence[str], size: int) -> tuple[str, dict[str, dict[str, Any]]]:
    """The head's number, and the receipts there are by id.

    A CometBFT node reads the whole block for every receipt: so a few are asked for, and then every block that one of them is in
    for all of its receipts. While nothing more is found, twice as many are asked for.
    """
    found: dict[str, dict[str, Any]] = {}
    left, head = list(ids), "0x0"
    while True:
        probe, rest = left[:size], left[size:]
        asked: list[Request] = [("eth_blockNumber", []), *(("eth_getTransactionReceipt", [id]) for id in probe)]
        head, *answers = ctx.rpc.batch(asked)
        if isinstance(head, RpcError):
            raise head
        there = {id: receipt for id, receipt in zip(probe, answers, strict=True) if _present(receipt)}
        found |= there
        if not rest:
            return head, found
        found |= _of_blocks(ctx, {receipt["blockNumber"] for receipt in there.values()}, set(rest))
        left, size = [id for id in rest if id not in found], FEW if there else 2 * size


def _of_blocks(ctx: Context, blocks: set[str], ids: set[str]) -> dict[str, dict[str, Any]]:
    """Receipts of these writes in these blocks. A block whose index is not complete yet has none to show."""
    answers = ctx.rpc.batch([("eth_getBlockReceipts", [block]) for block in sorted(blocks)])
    receipts = (receipt for answer in answers if isinstance(answer, list) for receipt in answer)
    return {receipt["transactionHash"]: receipt for receipt in receipts if receipt["transactionHash"] in ids}


def known_to(ctx: Context, ids: Sequence[str]) -> set[str]:
    """Those of the transactions without a receipt that the node has all the same. Raises RpcError, LedgerError.

    A CometBFT node writes its index after the block, and lists only the first of those that wait: so what stands in a young
    block, or was taken a moment ago, is known to it too. To believe otherwise would send a write twice.
    """
    answers = ctx.rpc.batch([("eth_getTransactionByHash", [id]) for id in ids])
    known = {id for id, answer in zip(ids, answers, strict=True) if _present(answer)}
    if ctx.comet and len(known) < len(ids):
        known |= {id for id in ids if time.monotonic() - ctx.taken.get(id, -TAKEN_SECONDS) < TAKEN_SECONDS}
        known |= _in_young_blocks(ctx, set(ids) - known)
    return known


def _in_young_blocks(ctx: Context, ids: set[str]) -> set[str]:
    """Those that stand in one of the newest blocks."""
    if not ids:
        return ids
    head = int(ctx.rpc.call("eth_blockNumber"), 16)
    blocks = ctx.rpc.all([("eth_getBlockByNumber", [hex(h), False]) for h in range(max(1, head - YOUNG_BLOCKS + 1), head + 1)])
    return ids.intersection(id for block in blocks if block is not None for id in block["transactions"])


def _present(answer: Any) -> bool:
    """Whether the node knows it. Some say null, some answer with an error; any other error is raised: it is no answer."""
    if isinstance(answer, RpcError):
        if answer.code == UNSPECIFIED and _UNKNOWN.search(answer.message):
            return False
        raise answer
    return isinstance(answer, dict)


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
