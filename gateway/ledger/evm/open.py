"""Opening the ledger: is it the one that was deployed, and who are we on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.ledger import deployment
from gateway.ledger.evm import abi
from gateway.ledger.evm.context import Context, local_account
from gateway.ledger.evm.errors import translated
from gateway.ledger.evm.rpc import Rpc
from gateway.ledger.port import Call, LedgerInfo
from gateway.ledger.reasons import LedgerError, Reason


@dataclass(frozen=True, kw_only=True)
class Deployment(deployment.Deployment):
    """What the deployment wrote down. ``chain_id``: the EIP-155 number of the chain."""

    chain_id: int

    @classmethod
    def _names(cls, doc: Mapping[str, Any]) -> dict[str, Any]:
        return {"chain_id": int(doc["chainId"])}


@dataclass(frozen=True)
class Limits:
    """How long we wait (seconds), how old a head may be (seconds), how deep a write must lie (blocks); the address of a second
    node that must give the same answers, empty = none."""

    timeout: float = 10.0
    max_head_age: float = 30.0
    finality: int = 0
    witness: str = ""


def connect(url: str, founded: Deployment, account_key: bytes | None, limits: Limits, artifacts: Path | None = None) -> Context:
    """A checked connection. Raises LedgerError wrong_chain when chain id, genesis or ledger id differ from the deployment's."""
    rpc = Rpc(url, limits.timeout)
    account = local_account(account_key)
    info = LedgerInfo(
        kind="evm",
        ledger_id=founded.ledger_id,
        chain=founded.chain_id,
        contracts=dict(founded.contracts),
        genesis=founded.genesis,
        account=account.address.lower() if account else "",
        finality=limits.finality,
    )
    tables = abi.load(sorted(info.contracts), artifacts)
    ctx = Context(rpc, tables, info, limits.max_head_age, account, former=founded.former)
    ctx.witness = Rpc(limits.witness, limits.timeout) if limits.witness else None
    try:
        _same_chain(ctx)
    except LedgerError:
        ctx.close()
        raise
    return ctx


def _same_chain(ctx: Context) -> None:
    ask = Call("Alliance", "ledgerId")
    _, tx = ctx.encode(ask)
    with translated(ctx.abis, "prepare"):
        chain, genesis, price = ctx.rpc.all([("eth_chainId", []), ("eth_getBlockByNumber", ["0x0", False]), ("eth_gasPrice", [])])
        if int(chain, 16) != ctx.info.chain:
            raise _wrong("chain id", ctx.info.chain, int(chain, 16))
        if genesis is None or genesis["hash"] != "0x" + ctx.info.genesis.hex():
            raise _wrong("genesis", "0x" + ctx.info.genesis.hex(), genesis and genesis["hash"])
        ledger_id = ctx.rpc.call("eth_call", tx, "latest")
    if ledger_id != "0x" + ctx.info.ledger_id.hex():
        raise _wrong("ledger id", "0x" + ctx.info.ledger_id.hex(), ledger_id)
    ctx.gas_price = int(price, 16)
    ctx.comet = int(genesis["number"], 16) != 0


def _wrong(what: str, wanted: object, got: object) -> LedgerError:
    return LedgerError(Reason.WRONG_CHAIN, detail=f"{what} is {got}, the contracts file says {wanted}")
