"""The ledger part of an EVM chain: block headers, accounts and storage words in its Merkle-Patricia tries."""

from __future__ import annotations

from typing import Any

from .evidence import Evidence
from .hashes import keccak256
from .read import ZERO, Malformed, bytes_list, from_hex, integer, part_of
from .trie import rlp_decode, trie_value


def read_evm(ledger: Any) -> Evidence:
    """Check every header and proof of the ledger part. Malformed if one does not hold."""
    evidence = Evidence()
    contracts = {name: from_hex(address, 20) for name, address in part_of(ledger, "contracts").items()}
    headers = part_of(ledger, "headers")
    if len(headers) > 10_000:
        raise Malformed("too many headers")
    roots = {}
    for shown, encoded in headers.items():
        block, fields = from_hex(shown), rlp_decode(from_hex(encoded, None))
        if keccak256(from_hex(encoded, None)) != block or not isinstance(fields, list) or len(fields) < 15:
            raise Malformed("a header does not hash to its block")
        roots[block], evidence.parents[block] = fields[3], fields[0]
        evidence.times[block], evidence.heights[block] = integer(fields[11]), integer(fields[8])
    for proof in part_of(ledger, "proofs"):
        name, block = part_of(proof, "contract"), from_hex(part_of(proof, "block"))
        if block not in roots or name not in contracts:
            raise Malformed("a proof of an unknown block or contract")
        evidence.resting.add(block)
        storage_root = _account(roots[block], contracts[name], bytes_list(part_of(proof, "account"), None))
        words = evidence.words.setdefault((name, block), {})
        for item in part_of(proof, "storage"):
            slot, value = from_hex(part_of(item, "slot")), from_hex(part_of(item, "value"))
            if _stored(storage_root, slot, bytes_list(part_of(item, "proof"), None)) != value:
                raise Malformed("a storage proof does not lead to its value")
            words[integer(slot)] = value
    return evidence


def _account(state_root: Any, address: bytes, nodes: list[bytes]) -> bytes:
    encoded = trie_value(state_root, address, nodes)
    account = rlp_decode(encoded) if encoded else None
    if not isinstance(account, list) or len(account) != 4 or not isinstance(account[2], bytes):
        raise Malformed("the contract is not in the state")
    return account[2]


def _stored(root: bytes, slot: bytes, nodes: list[bytes]) -> bytes:
    if not nodes:
        if root != keccak256(b"\x80"):
            raise Malformed("a storage proof without nodes")
        return ZERO
    encoded = trie_value(root, slot, nodes)
    if encoded is None:
        return ZERO
    value = rlp_decode(encoded)
    if not isinstance(value, bytes) or len(value) > 32:
        raise Malformed("a stored word is no word")
    return value.rjust(32, b"\0")
