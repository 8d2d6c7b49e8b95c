"""What a block says: its header's hash, and each transaction with its time, its validity and what it reported.

Source: Hyperledger Fabric ``common/common.proto`` and ``protoutil/blockutils.go`` (header hash), ``peer/transaction.proto``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from gateway.ledger.fabric.proposal import ENDORSER_TRANSACTION
from gateway.ledger.fabric.protos import message, numbers

TRANSACTIONS_FILTER = 2
"""``common.BlockMetadataIndex.TRANSACTIONS_FILTER``."""
VALID = "VALID"
DUPLICATE = "DUPLICATE_TXID"


@dataclass(frozen=True)
class Transaction:
    """One transaction of a block. ``id``: 64 hex digits, empty for a configuration. ``time``: seconds since 1970, as its author
    gave it. ``code``: name of ``protos.TxValidationCode``. ``event``: chaincode, name and payload of what it reported."""

    id: str
    time: int
    code: str
    event: tuple[str, str, bytes] | None = None


@dataclass(frozen=True)
class FabricBlock:
    """A block as read. ``hash``: SHA-256 of the header in ASN.1."""

    height: int
    hash: bytes
    parent: bytes
    transactions: tuple[Transaction, ...]

    @cached_property
    def time(self) -> int:
        """Time of the newest transaction that counts, seconds since 1970. What does not count may carry any time."""
        counted = [t.time for t in self.transactions if t.code == VALID]
        return max(counted or [t.time for t in self.transactions], default=0)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of its transactions in order. One that came a second time is at home in its first block."""
        return tuple(t.id for t in self.transactions if t.id and t.code != DUPLICATE)

    def find(self, id: str) -> Transaction | None:
        """A transaction that is at home here."""
        return next((t for t in self.transactions if t.id == id and t.code != DUPLICATE), None)


def read_block(block: Any) -> FabricBlock:
    """From ``common.Block``."""
    codes = numbers("protos.TxValidationCode")
    flags = block.metadata.metadata[TRANSACTIONS_FILTER] if len(block.metadata.metadata) > TRANSACTIONS_FILTER else b""
    # Genesis comes with no flags on some peers: a configuration that is in a block is valid.
    transactions = tuple(
        _transaction(data, codes.get(flags[i], str(flags[i])) if i < len(flags) else VALID)
        for i, data in enumerate(block.data.data)
    )
    header = block.header
    return FabricBlock(header.number, header_hash(header), bytes(header.previous_hash).rjust(32, b"\0"), transactions)


def header_hash(header: Any) -> bytes:
    """SHA-256 over ``SEQUENCE {number INTEGER, previousHash OCTET STRING, dataHash OCTET STRING}``."""
    fields = _integer(header.number) + _octets(header.previous_hash) + _octets(header.data_hash)
    return sha256(b"\x30" + _length(fields) + fields).digest()


def _transaction(data: bytes, code: str) -> Transaction:
    payload = message("common.Payload").FromString(message("common.Envelope").FromString(data).payload)
    header = message("common.ChannelHeader").FromString(payload.header.channel_header)
    event = _event(payload.data) if header.type == ENDORSER_TRANSACTION and code == VALID else None
    return Transaction(header.tx_id, header.timestamp.seconds, code, event)


def _event(data: bytes) -> tuple[str, str, bytes] | None:
    actions = message("protos.Transaction").FromString(data).actions
    action = message("protos.ChaincodeActionPayload").FromString(actions[0].payload).action
    answer = message("protos.ProposalResponsePayload").FromString(action.proposal_response_payload)
    events = message("protos.ChaincodeAction").FromString(answer.extension).events
    if not events:
        return None
    event = message("protos.ChaincodeEvent").FromString(events)
    return event.chaincode_id, event.event_name, event.payload


def _integer(value: int) -> bytes:
    body = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return b"\x02" + _length(body) + body


def _octets(value: bytes) -> bytes:
    return b"\x04" + _length(value) + value


def _length(body: bytes) -> bytes:
    if len(body) < 128:
        return bytes([len(body)])
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(size)]) + size
