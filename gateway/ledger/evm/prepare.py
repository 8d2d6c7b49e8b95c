"""Signing a write."""

from __future__ import annotations

from typing import Any

from eth_utils.address import to_checksum_address

from gateway.ledger.evm.context import Context, transaction_id
from gateway.ledger.evm.errors import translated
from gateway.ledger.port import Call, Prepared

# Fees are zero and unused gas is not charged, so a generous limit costs nothing and estimating would cost a round trip a write
# (and be wrong for writes that build on others not mined yet). 3,000,000 is six times the dearest call without bulk data; each
# byte of data costs at most 40 gas as calldata (EIP-7623) and 8 as log, the rest is for hashing it.
BASE_GAS = 3_000_000
GAS_PER_BYTE = 80


def prepare(ctx: Context, call: Call, account: str | None = None, nonce: int | None = None) -> Prepared:
    """A signed legacy transaction with replay protection (EIP-155).

    A call without a contract does nothing but use up a nonce; without ``nonce`` it only asks which one is next, and takes none.
    """
    signer = ctx.signer(account)
    tx = {"to": ctx.info.account, "data": "0x"} if not call.contract else ctx.encode(call)[1]
    data = tx["data"]
    number = _next_nonce(ctx, take=bool(call.contract)) if nonce is None else nonce
    fields: dict[str, Any] = {
        "to": to_checksum_address(tx["to"]),
        "data": data,
        "value": 0,
        "gas": BASE_GAS + GAS_PER_BYTE * (len(data) // 2 - 1),
        "gasPrice": ctx.gas_price,
        "nonce": number,
        "chainId": ctx.info.chain,
    }
    raw = bytes(signer.sign_transaction(fields).raw_transaction)
    return Prepared(raw, transaction_id(raw), ctx.info.account, number)


def _next_nonce(ctx: Context, *, take: bool) -> int:
    """The account's next number: what this process used last, or what the node has pending, whichever is higher. Only for
    writers that use the account alone; the outbox, which shares it among workers, hands in its own."""
    with translated(ctx.abis, "prepare"):
        pending = int(ctx.rpc.call("eth_getTransactionCount", ctx.info.account, "pending"), 16)
    with ctx.lock:
        number = max(pending, ctx.next_nonce or 0)
        if take:
            ctx.next_nonce = number + 1
    return number
