"""What outsiders need to check contract storage without a node: account and storage proofs, and the header that binds them to a
block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_utils.crypto import keccak

from gateway.ledger.evm import comet
from gateway.ledger.evm.block import fetch, from_json
from gateway.ledger.evm.context import Context, tag
from gateway.ledger.evm.errors import translated
from gateway.ledger.port import LedgerProof, StorageProof
from gateway.ledger.reasons import LedgerError, Reason

# Header fields in hashing order, with their JSON names. The tail came one upgrade at a time (London, Shanghai, Cancun, Prague);
# a header has a prefix of it. Source: Ethereum yellow paper; EIP-1559, 4895, 4844, 4788, 7685.
_BYTES = {
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "extraData",
    "mixHash",
    "nonce",
}
_BYTES |= {"withdrawalsRoot", "parentBeaconBlockRoot", "requestsHash"}
_HEAD = (
    "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty",
    "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce",
)  # fmt: skip
_TAIL = ("baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash")


def proof(ctx: Context, contract: str, slots: Sequence[bytes], at: int | bytes) -> LedgerProof | None:
    """Proof of the slots at a block; None where the node has none to give. Raises not_found for an unknown block, internal when
    the header the node shows does not hash to the block (then nobody could check the proof)."""
    address = ctx.address(contract)
    shown = fetch(ctx, at)
    if shown is None:
        raise LedgerError(Reason.NOT_FOUND, detail=f"no block {at if isinstance(at, int) else at.hex()}")
    if ctx.comet:
        return comet.proof(ctx, contract, slots, from_json(shown))
    header = header_rlp(shown)
    if "0x" + keccak(header).hex() != shown["hash"]:
        raise LedgerError(Reason.INTERNAL, detail=f"the header of block {shown['number']} does not hash to {shown['hash']}")
    with translated(ctx.abis, "prepare"):
        answer = ctx.rpc.call("eth_getProof", address, ["0x" + s.hex() for s in slots], tag(int(shown["number"], 16)))
    storage = tuple(_storage(slot, item) for slot, item in zip(slots, answer["storageProof"], strict=True))
    return LedgerProof(contract, address, from_json(shown), header, _nodes(answer["accountProof"]), storage)


def header_rlp(block: dict[str, Any]) -> bytes:
    """RLP of a block's header from the node's JSON; its keccak256 is the block's hash."""
    fields = [*_HEAD, *(f for f in _TAIL if block.get(f) is not None)]
    body = b"".join(_rlp_string(_header_field(name, block[name])) for name in fields)
    return _rlp_length(len(body), 0xC0) + body


def _rlp_string(value: bytes) -> bytes:
    return value if len(value) == 1 and value[0] < 0x80 else _rlp_length(len(value), 0x80) + value


def _rlp_length(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(size)]) + size


def _header_field(name: str, value: str) -> bytes:
    if name in _BYTES:
        return bytes.fromhex(value[2:])
    number = int(value, 16)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _storage(slot: bytes, item: dict[str, Any]) -> StorageProof:
    return StorageProof(slot, int(item["value"], 16).to_bytes(32, "big"), _nodes(item["proof"]))


def _nodes(proof: list[str]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(node[2:]) for node in proof)
