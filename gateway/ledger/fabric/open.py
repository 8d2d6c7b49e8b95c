"""Opening the ledger: is it the one that was founded, and who are we on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.ledger import deployment
from gateway.ledger.fabric import query
from gateway.ledger.fabric.codec import Codec
from gateway.ledger.fabric.context import Context
from gateway.ledger.fabric.gateway import Gateway
from gateway.ledger.fabric.identity import Identity
from gateway.ledger.fabric.profile import Profile
from gateway.ledger.fabric.read import read_many
from gateway.ledger.port import Call, LedgerInfo
from gateway.ledger.reasons import LedgerError, Reason


@dataclass(frozen=True, kw_only=True)
class Deployment(deployment.Deployment):
    """What the founding wrote down. ``chaincode``: the alliance's name on the channel."""

    channel: str
    chaincode: str

    @classmethod
    def _names(cls, doc: Mapping[str, Any]) -> dict[str, Any]:
        return {"channel": doc["channel"], "chaincode": doc["chaincode"]}

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
    """How long we wait for one answer, and how old a head is still an answer (seconds)."""

    timeout: float = 10.0
    max_head_age: float = 30.0


def connect(
    profile: Profile,
    founded: Deployment,
    identity: Identity,
    limits: Limits,
    *,
    writes: bool = True,
    artifacts: Path | None = None,
) -> Context:
    """A checked connection. ``writes`` False: the identity only reads. Raises LedgerError wrong_chain when channel, genesis or
    ledger id differ from the deployment's."""
    if profile.channel != founded.channel:
        raise _wrong("channel", founded.channel, profile.channel)
    info = LedgerInfo(
        kind="fabric",
        ledger_id=founded.ledger_id,
        chain=0,
        contracts=dict(founded.contracts),
        genesis=founded.genesis,
        account=identity.account if writes else "",
        finality=0,
        history=False,
        endorses=True,
    )
    gateway = Gateway(identity, profile.channel, profile.own(identity.msp), limits.timeout)
    codec = Codec.load(sorted(info.contracts), artifacts)
    ctx = Context(gateway, codec, info, founded.chaincode, limits.max_head_age)
    try:
        _same_ledger(ctx)
    except LedgerError:
        close(ctx)
        raise
    return ctx


def close(ctx: Context) -> None:
    """Drop every connection."""
    ctx.gateway.close()


def _same_ledger(ctx: Context) -> None:
    genesis = query.by_height(ctx, 0)
    if genesis is None or genesis.hash != ctx.info.genesis:
        raise _wrong("genesis", "0x" + ctx.info.genesis.hex(), genesis and "0x" + genesis.hash.hex())
    ledger_id = read_many(ctx, [Call("Alliance", "ledgerId")])[0]
    if ledger_id != ctx.info.ledger_id:
        raise _wrong("ledger id", "0x" + ctx.info.ledger_id.hex(), "0x" + ledger_id.hex())


def _wrong(what: str, wanted: object, got: object) -> LedgerError:
    return LedgerError(Reason.WRONG_CHAIN, detail=f"{what} is {got}, the contracts file says {wanted}")
