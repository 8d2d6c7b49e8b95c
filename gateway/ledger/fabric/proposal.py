"""What is signed: proposals, endorsed transactions, and requests for status, events and blocks. Pure; no network.

Source: Hyperledger Fabric protocol buffers (``peer/proposal.proto``, ``common/common.proto``, ``gateway/gateway.proto``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from gateway.ledger.fabric.identity import Identity
from gateway.ledger.fabric.protos import message

ENDORSER_TRANSACTION, DELIVER_SEEK_INFO = 3, 5
"""``common.HeaderType``."""
UNTIL_READY, FAIL_IF_NOT_READY = 0, 1
"""``orderer.SeekInfo.SeekBehavior``."""
FOREVER = 2**64 - 1


@dataclass(frozen=True)
class Proposal:
    """A call of a chaincode as its author signed it. ``id``: the transaction id it will have, 64 hex digits."""

    id: str
    channel: str
    signed: Any


def propose(
    identity: Identity,
    channel: str,
    chaincode: str,
    args: Sequence[bytes],
    transient: Mapping[str, bytes] | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> Proposal:
    """Sign a call. ``transient``: seen by the peers that simulate it, never written to the channel. ``clock``: nanoseconds since
    1970; the chaincode takes this time for now and refuses one that is far from its own."""
    nonce = os.urandom(24)
    id = sha256(nonce + identity.creator).hexdigest()
    extension = message("protos.ChaincodeHeaderExtension")(chaincode_id={"name": chaincode})
    head = header(identity, ENDORSER_TRANSACTION, channel, clock(), nonce, id, extension.SerializeToString())
    spec = message("protos.ChaincodeInvocationSpec")(
        chaincode_spec={"chaincode_id": {"name": chaincode}, "input": {"args": list(args)}}
    )
    payload = message("protos.ChaincodeProposalPayload")(input=spec.SerializeToString(), TransientMap=dict(transient or {}))
    made = message("protos.Proposal")(header=head.SerializeToString(), payload=payload.SerializeToString()).SerializeToString()
    return Proposal(id, channel, message("protos.SignedProposal")(proposal_bytes=made, signature=identity.sign(made)))


def header(
    identity: Identity, kind: int, channel: str, now: int, nonce: bytes, id: str = "", extension: bytes = b""
) -> Any:  # fmt: skip
    """``common.Header`` of a signed thing; ``now``: nanoseconds since 1970."""
    seconds, nanos = divmod(now, 10**9)
    mine = message("common.ChannelHeader")(
        type=kind, tx_id=id, channel_id=channel, extension=extension, timestamp={"seconds": seconds, "nanos": nanos}
    )
    signer = message("common.SignatureHeader")(creator=identity.creator, nonce=nonce)
    return message("common.Header")(channel_header=mine.SerializeToString(), signature_header=signer.SerializeToString())


def sign_transaction(identity: Identity, prepared: Any) -> bytes:
    """The endorsed transaction (``common.Envelope``), signed by its author: bytes that may be stored and sent at any time."""
    envelope = message("common.Envelope")(payload=prepared.payload, signature=identity.sign(prepared.payload))
    signed: bytes = envelope.SerializeToString()
    return signed


def channel_header(envelope: Any) -> Any:
    """``common.ChannelHeader`` of an envelope: its kind, transaction id, channel and time."""
    payload = message("common.Payload").FromString(envelope.payload)
    return message("common.ChannelHeader").FromString(payload.header.channel_header)


def seek(identity: Identity, channel: str, start: int, stop: int, behaviour: int) -> Any:
    """The signed request for blocks ``start`` to ``stop`` (inclusive) of a peer's Deliver service."""
    info = message("orderer.SeekInfo")(start=position(start), stop=position(stop), behavior=behaviour)
    head = header(identity, DELIVER_SEEK_INFO, channel, time.time_ns(), os.urandom(24))
    payload = message("common.Payload")(header=head, data=info.SerializeToString()).SerializeToString()
    return message("common.Envelope")(payload=payload, signature=identity.sign(payload))


def position(height: int | None) -> Any:
    """``orderer.SeekPosition``; None = the next block."""
    if height is None:
        return message("orderer.SeekPosition")(next_commit={})
    return message("orderer.SeekPosition")(specified={"number": height})


def status_request(identity: Identity, channel: str, id: str) -> Any:
    """The signed request for a transaction's commit status."""
    asked = message("gateway.CommitStatusRequest")(transaction_id=id, channel_id=channel, identity=identity.creator)
    return _signed(identity, "gateway.SignedCommitStatusRequest", asked)


def events_request(identity: Identity, channel: str, chaincode: str, start: int | None, after: str) -> Any:
    """The signed request for a chaincode's events from block ``start``, after transaction ``after`` where given."""
    asked = message("gateway.ChaincodeEventsRequest")(
        channel_id=channel,
        chaincode_id=chaincode,
        identity=identity.creator,
        start_position=position(start),
        after_transaction_id=after,
    )
    return _signed(identity, "gateway.SignedChaincodeEventsRequest", asked)


def _signed(identity: Identity, kind: str, asked: Any) -> Any:
    data = asked.SerializeToString()
    return message(kind)(request=data, signature=identity.sign(data))
