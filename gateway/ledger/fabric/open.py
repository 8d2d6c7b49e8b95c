"""Opening the ledger: is it the one that was founded, and who are we on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.ledger.fabric import query
from gateway.ledger.fabric.codec import Codec
from gateway.ledger.fabric.context import Context
from gateway.ledger.fabric.gateway import Gateway
from gateway.ledger.fabric.identity import Identity
from gateway.ledger.fabric.profile import Profile
from gateway.ledger.fabric.read import read
from gateway.ledger.fabric.witnesses import Witnesses
from gateway.ledger.port import Call, LedgerInfo
from gateway.ledger.reasons import LedgerError, Reason


@dataclass(frozen=True)
class Deployment:
    """What the founding wrote down (``contracts.json``)."""

    channel: str
    chaincode: str
    genesis: bytes
    ledger_id: bytes
    block: int
    contracts: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> Deployment:
        """Read the file. Raises LedgerError not_found or invalid_argument."""
        try:
            return cls.parse(json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            raise LedgerError(Reason.NOT_FOUND, detail=f"{path} is missing: found the alliance first") from None
        except (KeyError, TypeError, ValueError) as e:
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"{path} is not a contracts file of Fabric: {e!r}") from e

    @classmethod
    def parse(cls, doc: Mapping[str, Any]) -> Deployment:
        """From the parsed JSON."""
        return cls(
            channel=doc["channel"],
            chaincode=doc["chaincode"],
            genesis=bytes.fromhex(doc["genesis"][2:]),
            ledger_id=bytes.fromhex(doc["ledgerId"][2:]),
            block=int(doc["block"]),
            contracts={name: address.lower() for name, address in doc["contracts"].items()},
        )

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "kind": "healthtrust/contracts",
            "version": 1,
            "ledger": "fabric",
            "channel": self.channel,
            "chaincode": self.chaincode,
            "genesis": "0x" + self.genesis.hex(),
            "ledgerId": "0x" + self.ledger_id.hex(),
            "block": self.block,
            "contracts": dict(self.contracts),
        }


@dataclass(frozen=True)
class Limits:
    """How long we wait for one answer, and how long our peer may lack what others have (seconds)."""

    timeout: float = 10.0
    max_head_age: float = 30.0


def connect(
    profile: Profile,
    deployment: Deployment,
    identity: Identity,
    limits: Limits,
    *,
    writes: bool = True,
    artifacts: Path | None = None,
) -> Context:
    """A checked connection. ``writes`` False: the identity only reads. Raises LedgerError wrong_chain when channel, genesis or
    ledger id differ from the deployment's."""
    if profile.channel != deployment.channel:
        raise _wrong("channel", deployment.channel, profile.channel)
    info = LedgerInfo(
        kind="fabric",
        ledger_id=deployment.ledger_id,
        chain=0,
        contracts=dict(deployment.contracts),
        genesis=deployment.genesis,
        account=identity.account if writes else "",
        finality=0,
        history=False,
        endorses=True,
        steady=False,
    )
    gateway = Gateway(identity, profile.channel, profile.own(identity.msp), limits.timeout)
    others = [Gateway(identity, profile.channel, [peer], limits.timeout) for peer in profile.others(identity.msp)]
    codec = Codec.load(sorted(info.contracts), artifacts)
    ctx = Context(gateway, codec, info, deployment.chaincode, limits.max_head_age, _witnesses(others))
    try:
        _same_ledger(ctx)
    except LedgerError:
        close(ctx)
        raise
    return ctx


def close(ctx: Context) -> None:
    """Drop every connection."""
    ctx.gateway.close()
    ctx.witnesses.close()


def _witnesses(others: list[Gateway]) -> Witnesses:
    return Witnesses(others, lambda g: query.ask(g, "GetChainInfo"), lambda answer: query.read_info(answer)[0])


def _same_ledger(ctx: Context) -> None:
    genesis = query.by_height(ctx, 0)
    if genesis is None or genesis.hash != ctx.info.genesis:
        raise _wrong("genesis", "0x" + ctx.info.genesis.hex(), genesis and "0x" + genesis.hash.hex())
    ledger_id = read(ctx, Call("Alliance", "ledgerId"))
    if ledger_id != ctx.info.ledger_id:
        raise _wrong("ledger id", "0x" + ctx.info.ledger_id.hex(), "0x" + ledger_id.hex())


def _wrong(what: str, wanted: object, got: object) -> LedgerError:
    return LedgerError(Reason.WRONG_CHAIN, detail=f"{what} is {got}, the contracts file says {wanted}")
