"""Opening the ledger: is it the one that was deployed, and who are we on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.ledger.evm import abi
from gateway.ledger.evm.context import Context, local_account
from gateway.ledger.evm.errors import translated
from gateway.ledger.evm.rpc import Rpc
from gateway.ledger.port import Call, LedgerInfo
from gateway.ledger.reasons import LedgerError, Reason


@dataclass(frozen=True)
class Deployment:
    """What the deployment wrote down (``contracts.json``)."""

    chain_id: int
    genesis: bytes
    ledger_id: bytes
    block: int
    contracts: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Deployment:
        """Read the file. Raises LedgerError not_found or invalid_argument."""
        try:
            return cls.parse(json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            raise LedgerError(Reason.NOT_FOUND, detail=f"{path} is missing: deploy the contracts first") from None
        except (KeyError, TypeError, ValueError) as e:
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"{path} is not a contracts file: {e!r}") from e

    @classmethod
    def parse(cls, doc: dict[str, Any]) -> Deployment:
        """From the parsed JSON."""
        return cls(
            chain_id=int(doc["chainId"]),
            genesis=bytes.fromhex(doc["genesis"][2:]),
            ledger_id=bytes.fromhex(doc["ledgerId"][2:]),
            block=int(doc["block"]),
            contracts={name: address.lower() for name, address in doc["contracts"].items()},
        )


@dataclass(frozen=True)
class Limits:
    """How long we wait (seconds), how old a head may be (seconds), how deep a write must lie (blocks)."""

    timeout: float = 10.0
    max_head_age: float = 30.0
    finality: int = 0


def connect(
    url: str, deployment: Deployment, account_key: bytes | None, limits: Limits, artifacts: Path | None = None
) -> Context:
    """A checked connection. Raises LedgerError wrong_chain when chain id, genesis or ledger id differ from the deployment's."""
    rpc = Rpc(url, limits.timeout)
    account = local_account(account_key)
    info = LedgerInfo(
        kind="evm",
        ledger_id=deployment.ledger_id,
        chain=deployment.chain_id,
        contracts=dict(deployment.contracts),
        genesis=deployment.genesis,
        account=account.address.lower() if account else "",
        finality=limits.finality,
    )
    ctx = Context(rpc, abi.load(sorted(info.contracts), artifacts), info, limits.max_head_age, account)
    try:
        _same_chain(ctx)
    except LedgerError:
        rpc.close()
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
