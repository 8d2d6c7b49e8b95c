"""Proofs on a CometBFT chain: words of the EVM's store by ICS-23, under a header that the validators signed.

The state after a block is committed to by the header of the block after it. A node of ours answers ``comet_getProof`` with both
headers, the signatures and the proofs (network/evm/validator/proofs.go); headers are encoded here, field by field, as CometBFT
hashes them, so that a bundle carries bytes and not JSON that somebody would have to encode the same way.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from core.bundle import Commit, CommitSignature, Validators
from gateway.ledger.evm.context import Context
from gateway.ledger.evm.errors import to_ledger_error
from gateway.ledger.evm.rpc import RpcError
from gateway.ledger.port import Block, LedgerProof, StorageProof
from gateway.ledger.reasons import LedgerError, Reason

NO_METHOD = -32601
_FOR_THIS_BLOCK = 2
_HASHES = (
    "last_commit_hash", "data_hash", "validators_hash", "next_validators_hash", "consensus_hash", "app_hash",
    "last_results_hash", "evidence_hash", "proposer_address",
)  # fmt: skip


def proof(ctx: Context, contract: str, slots: Sequence[bytes], block: Block) -> LedgerProof | None:
    """Proof of the slots after a block, once there is one after it; None from a node that is not of our program. Raises internal
    when a header does not hash to its block."""
    address = ctx.address(contract)
    shown = _asked(ctx, address, slots, block.height)
    if shown is None:
        return None
    header, following = _header(shown["header"]), _header(shown["next"])
    commit = _commit(shown, following)
    for name, encoded, known in (("header", header, block.hash), ("next", following, commit.block)):
        if _root(encoded) != known:
            raise LedgerError(Reason.INTERNAL, detail=f"the {name} of block {block.height} does not hash to 0x{known.hex()}")
    storage = tuple(_storage(word) for word in shown["storage"])
    return LedgerProof(contract, address, block, _joined(header), (), storage, commit)


def _asked(ctx: Context, address: str, slots: Sequence[bytes], height: int) -> dict[str, Any] | None:
    try:
        answer: dict[str, Any] = ctx.rpc.call("comet_getProof", address, ["0x" + slot.hex() for slot in slots], hex(height))
    except RpcError as error:
        if error.code == NO_METHOD:
            return None
        raise to_ledger_error(error, ctx.abis, "prepare") from error
    return answer


def _commit(shown: Mapping[str, Any], following: list[bytes]) -> Commit:
    """The signatures for the next block; validators that were away, or voted for no block, have none in it."""
    given = shown["commit"]
    powers = {base64.b64decode(one["pub_key"]): int(one["voting_power"]) for one in shown["validators"]}
    keys = {sha256(key).digest()[:20]: key for key in powers}
    signatures = [
        CommitSignature(keys[_bytes(one["validator_address"])], *_instant(one["timestamp"]), base64.b64decode(one["signature"]))
        for one in given["signatures"]
        if one["block_id_flag"] == _FOR_THIS_BLOCK and _bytes(one["validator_address"]) in keys
    ]
    parts = given["block_id"]["parts"]
    block = _bytes(given["block_id"]["hash"])
    pieces = parts["total"], _bytes(parts["hash"])
    voters = Validators(shown["next"]["chain_id"], powers)
    return Commit(block, _joined(following), given["round"], pieces, signatures, voters)


def _storage(word: Mapping[str, Any]) -> StorageProof:
    slot, value, *proofs = (_bytes(text[2:]) for text in (word["slot"], word["value"], *word["proofs"]))
    return StorageProof(slot, value.rjust(32, b"\0"), tuple(proofs))


def _header(shown: Mapping[str, Any]) -> list[bytes]:
    """The header's 14 fields as CometBFT encodes them for its hash (types/block.go, Header.Hash)."""
    version, last = shown["version"], shown["last_block_id"]
    parts = _number(1, last["parts"]["total"]) + _field(2, _bytes(last["parts"]["hash"]))
    seconds, nanos = _instant(shown["time"])
    return [
        _number(1, int(version.get("block", 0))) + _number(2, int(version.get("app", 0))),
        _field(1, shown["chain_id"].encode()),
        _number(1, int(shown["height"])),
        _number(1, seconds) + _number(2, nanos),
        _field(1, _bytes(last["hash"])) + _message(2, parts),
        *(_field(1, _bytes(shown[name])) for name in _HASHES),
    ]


def _root(leaves: Sequence[bytes]) -> bytes:
    """Merkle root of RFC 6962's shape with SHA-256."""
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + _root(leaves[:split]) + _root(leaves[split:])).digest()


def _joined(leaves: Sequence[bytes]) -> bytes:
    return b"".join(_varint(len(leaf)) + leaf for leaf in leaves)


def _message(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _field(number: int, content: bytes) -> bytes:
    """Bytes or text, left out when empty."""
    return _message(number, content) if content else b""


def _number(number: int, value: int) -> bytes:
    return bytes([number << 3]) + _varint(value) if value else b""


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded, value = encoded + bytes([value & 0x7F | 0x80]), value >> 7
    return encoded + bytes([value])


def _instant(text: str) -> tuple[int, int]:
    """Seconds and nanoseconds of an RFC 3339 time."""
    whole, fraction = re.fullmatch(r"([^.Z]+)(?:\.(\d+))?Z", text).groups()  # type: ignore[union-attr]
    return int(datetime.fromisoformat(f"{whole}+00:00").timestamp()), int((fraction or "").ljust(9, "0"))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text)
