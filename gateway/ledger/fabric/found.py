"""Founding an alliance under a chaincode name: the one transaction that a name takes once (docs/ledger.md, Fabric)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from core.canonical import canonical
from core.crypto import sm3
from core.messages import fabric_contract
from gateway.ledger.deployment import CONTRACTS
from gateway.ledger.fabric.blocks import read_block
from gateway.ledger.fabric.codec import Codec
from gateway.ledger.fabric.errors import translated
from gateway.ledger.fabric.gateway import Gateway
from gateway.ledger.fabric.open import Deployment
from gateway.ledger.fabric.written import written


@dataclass(frozen=True)
class Founder:
    """The first member: id, public code, SM2 key (x‖y), role bits, and the full name it is registered by (empty = its code). Its
    account is that of the gateway's identity."""

    id: bytes
    code: str
    public: bytes
    roles: int
    name: str = ""


def found(gateway: Gateway, chaincode: str, name: str, first: Founder) -> Deployment:
    """Found the alliance ``name``. Raises LedgerError rejected (AlreadyFounded) when the chaincode name is taken."""
    proposed = gateway.propose(chaincode, [b"Alliance.found", canonical(_arguments(gateway, name, first))])
    written(gateway, proposed, Codec().refusal, 6 * gateway.timeout)
    return known(gateway, chaincode)


def known(gateway: Gateway, chaincode: str) -> Deployment:
    """The alliance that was founded under this name, as our own peer has it. Raises LedgerError."""
    with translated("prepare"):
        block = next(gateway.events(chaincode, 0)).height
        ledger_id = gateway.evaluate(gateway.propose(chaincode, [b"Alliance.ledgerId", b"{}"]))
        genesis = read_block(next(gateway.blocks(0, 0)))
    word = bytes.fromhex(ledger_id.decode().strip('"')[2:])
    return Deployment(
        channel=gateway.channel,
        chaincode=chaincode,
        genesis=genesis.hash,
        ledger_id=word,
        block=block,
        contracts=addresses(gateway.channel, chaincode),
    )


def addresses(channel: str, chaincode: str) -> dict[str, str]:
    """Contract addresses: the last 20 bytes of each contract's word."""
    return {name: "0x" + fabric_contract(channel, f"{chaincode}.{name}")[12:].hex() for name in CONTRACTS}


def _arguments(gateway: Gateway, name: str, first: Founder) -> dict[str, Any]:
    member = {
        "id": "0x" + first.id.hex(),
        "nameDigest": "0x" + sm3((first.name or first.code).encode()).hex(),
        "roles": first.roles,
        "x": "0x" + first.public[:32].hex(),
        "y": "0x" + first.public[32:].hex(),
        "account": gateway.identity.account,
    }
    return {"name": name, "salt": "0x" + secrets.token_hex(32), "first": member}
