"""What outsiders need to believe a state of the ledger without a peer: answers endorsed by most members' peers, the block of a
decision with its orderers' signatures, and, for who pins them, the roots of all of them from the channel's configuration.

Fabric's blocks commit to transactions and not to a state, so a state is shown by having it endorsed: one proposal that only
reads, signed by peers as any transaction is, never ordered.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from core.bundle import Endorsed, Organisations
from gateway.ledger.fabric import query
from gateway.ledger.fabric.blocks import TRANSACTIONS_FILTER, read_block
from gateway.ledger.fabric.codec import MANY
from gateway.ledger.fabric.context import Context
from gateway.ledger.fabric.errors import translated
from gateway.ledger.fabric.head import to_block
from gateway.ledger.fabric.protos import message
from gateway.ledger.port import LedgerProof
from gateway.ledger.reasons import LedgerError, Reason

_SIGNATURES = 0
"""``common.BlockMetadataIndex.SIGNATURES``."""


def proof(ctx: Context, contract: str, slots: Sequence[bytes], at: int | bytes) -> LedgerProof:
    """Endorsed answers to the questions (``Contract.method``, a zero byte, arguments as JSON), as the ledger is now, and the
    block ``at``. Raises LedgerError: rejected when a question is refused, not_found for an unknown block."""
    if contract:
        raise LedgerError(Reason.INVALID_ARGUMENT, detail="here questions are proved, not a contract's storage")
    block = query.raw(ctx, at)
    if block is None:
        raise LedgerError(Reason.NOT_FOUND, detail=f"no block {at if isinstance(at, int) else at.hex()}")
    proposed = ctx.gateway.propose(ctx.chaincode, [MANY, *(part for slot in slots for part in slot.split(b"\0", 1))])
    with translated("endorse", "0x" + proposed.id, ctx.codec.refusal):
        transaction = ctx.gateway.endorse(proposed)
    endorsed = Endorsed(
        channel=ctx.gateway.channel,
        chaincode=ctx.chaincode,
        read=message("common.Envelope").FromString(transaction).payload,
        number=block.header.number,
        previous=bytes(block.header.previous_hash).rjust(32, b"\0"),
        data=tuple(block.data.data),
        flags=block.metadata.metadata[TRANSACTIONS_FILTER],
        signatures=block.metadata.metadata[_SIGNATURES],
        trust=organisations(ctx),
    )
    return LedgerProof("", "", to_block(read_block(block)), b"", (), (), endorsed=endorsed)


def organisations(ctx: Context) -> Organisations:
    """Members and orderers as the channel's configuration has them now."""
    asked = ctx.gateway.propose("cscc", [b"GetConfigBlock", ctx.gateway.channel.encode()])
    with translated("prepare"):
        block = message("common.Block").FromString(ctx.gateway.evaluate(asked))
    payload = message("common.Payload").FromString(message("common.Envelope").FromString(block.data.data[0]).payload)
    groups = message("common.ConfigEnvelope").FromString(payload.data).config.channel_group.groups
    ordering = groups["Orderer"]
    orderers = _roots(ordering.groups)
    kind = message("orderer.ConsensusType").FromString(ordering.values["ConsensusType"].value).type
    # A Raft block is signed by the orderer that cut it; of SmartBFT's, more than two thirds have to sign.
    needed = 1 if kind == "etcdraft" else 2 * len(orderers) // 3 + 1
    return Organisations(_roots(groups["Application"].groups), orderers, needed)


def _roots(groups: Mapping[str, Any]) -> dict[str, list[bytes]]:
    """Certificates (DER) that issue those of each organisation's nodes, by MSP id."""
    found = {}
    for group in groups.values():
        outer = message("msp.MSPConfig").FromString(group.values["MSP"].value)
        inner = message("msp.FabricMSPConfig").FromString(outer.config)
        found[inner.name] = [_der(pem) for pem in (*inner.root_certs, *inner.intermediate_certs)]
    return found


def _der(pem: bytes) -> bytes:
    return base64.b64decode("".join(line for line in pem.decode().splitlines() if not line.startswith("-----")))
