"""Events from raw logs through our own tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from gateway.ledger.evm.context import Context
from gateway.ledger.evm.errors import to_ledger_error, translated
from gateway.ledger.evm.rpc import RpcError
from gateway.ledger.port import Event
from gateway.ledger.reasons import LedgerError, Reason

# Blocks asked for at once; halved whenever the node finds it too much, so that a crowded stretch is read in small steps.
SPAN = 200


def events(ctx: Context, from_height: int, to_height: int, contracts: Sequence[str] | None = None) -> Iterator[list[Event]]:
    """One list a block that has events, ascending."""
    wanted = contracts if contracts is not None else ctx.info.contracts
    addresses = [address for contract in wanted for address in ctx.addresses(contract)]
    start, span = from_height, SPAN
    while start <= to_height:
        end = min(to_height, start + span - 1)
        try:
            logs = _logs(ctx, start, end, addresses)
        except LedgerError as e:
            if e.reason not in (Reason.TOO_LARGE, Reason.TIMEOUT) or start == end:
                raise
            span = max(1, (end - start + 1) // 2)
            continue
        for _, group in groupby(decode_logs(ctx, logs), key=lambda e: e.height):
            yield list(group)
        start = end + 1


def decode_logs(ctx: Context, logs: Iterable[dict[str, Any]]) -> Iterator[Event]:
    """Events of our contracts in the order of the logs; logs of others, or unknown to our ABI, are left out. Indexes count all
    logs of the block, as the node does."""
    tables, names = ctx.abis.events, ctx.names
    for log in logs:
        contract = names.get(log["address"].lower())
        if contract is None or not log["topics"]:
            continue
        spec = tables.get((contract, log["topics"][0]))
        if spec is not None:
            yield Event(
                contract,
                spec.name,
                spec.decode(log["topics"], log["data"]),
                int(log["blockNumber"], 16),
                bytes.fromhex(log["blockHash"][2:]),
                int(log["logIndex"], 16),
                log["transactionHash"],
            )


def _logs(ctx: Context, start: int, end: int, addresses: list[str]) -> list[dict[str, Any]]:
    wanted = {"fromBlock": hex(start), "toBlock": hex(end), "address": addresses}
    with translated(ctx.abis, "prepare"):
        head, logs = ctx.rpc.batch([("eth_blockNumber", []), ("eth_getLogs", [wanted])])
        if isinstance(head, RpcError):
            raise head
    if int(head, 16) < end:
        # Some nodes answer an empty list, and a reader would take blocks yet to come for blocks without events.
        raise LedgerError(Reason.NOT_FOUND, detail=f"the head is {int(head, 16)}, events were asked up to {end}")
    if isinstance(logs, RpcError):
        raise to_ledger_error(logs, ctx.abis, "prepare")
    found: list[dict[str, Any]] = logs
    return found
