"""The ledger part of a chain of CometBFT validators: headers, the signatures under them, proofs of its stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .evidence import Evidence
from .hashes import sha256
from .ics23 import IAVL, STORES, proved_value
from .protobuf import field_of, protobuf, tagged, uvarint, varint
from .read import Malformed, bytes_list, from_hex, integer, number_in, part_of


def comet_fields(header: bytes) -> list[bytes]:
    """The 14 encoded fields of a CometBFT header, each with its length before it."""
    fields, at = [], 0
    while at < len(header):
        size, at = varint(header, at)
        fields.append(header[at : at + size])
        at += size
    if at != len(header) or len(fields) != 14:
        raise Malformed("not the fields of a header")
    return fields


def comet_hash(leaves: list[bytes]) -> bytes:
    """Root over the encoded fields of a CometBFT header, which is its block's hash: SHA-256, shape of RFC 6962."""
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + comet_hash(leaves[:split]) + comet_hash(leaves[split:]))


@dataclass(frozen=True)
class CometHeader:
    """What is read of a CometBFT header. ``app``: root of all stores after the block before it."""

    chain: bytes
    height: int
    time: int
    parent: bytes
    app: bytes

    @classmethod
    def read(cls, leaves: list[bytes]) -> CometHeader:
        """From its encoded fields."""
        chain, height, time, parent, app = (protobuf(leaves[i]) for i in (1, 2, 3, 4, 10))
        values = (
            field_of(chain, 1, b""),
            field_of(height, 1, 0),
            field_of(time, 1, 0),
            field_of(parent, 1, b""),
            field_of(app, 1, b""),
        )
        return cls(*values)


def vote_bytes(chain: bytes, height: int, block: bytes, commit: Any, signature: Any) -> bytes:
    """What a validator signs for a block: CometBFT's CanonicalVote, a precommit, with its length before it."""
    total, round_ = number_in(part_of(commit, "parts", "total"), 2**32 - 1), number_in(part_of(commit, "round"), 2**31 - 1)
    seconds, nanos = number_in(part_of(signature, "seconds")), number_in(part_of(signature, "nanos"), 10**9 - 1)
    parts = b"\x08" + uvarint(total) + tagged(2, from_hex(part_of(commit, "parts", "hash")))
    time = (b"\x08" + uvarint(seconds) if seconds else b"") + (b"\x10" + uvarint(nanos) if nanos else b"")
    vote = b"\x08\x02\x11" + height.to_bytes(8, "little")
    vote += b"\x19" + round_.to_bytes(8, "little") if round_ else b""
    vote += tagged(4, tagged(1, block) + tagged(2, parts)) + tagged(5, time) + tagged(6, chain)
    return uvarint(len(vote)) + vote


def read_comet(ledger: Any) -> Evidence:
    """The same of a CometBFT chain: a block's state is committed to by the header of the block after it."""
    evidence = Evidence()
    contracts = {name: from_hex(address, 20) for name, address in part_of(ledger, "contracts").items()}
    headers = _read_comet_headers(part_of(ledger, "headers"), evidence)
    for block, commit in part_of(ledger, "commits").items():
        header = headers[from_hex(block)]
        evidence.commits[from_hex(block)] = {
            from_hex(part_of(one, "key")): (
                vote_bytes(header.chain, header.height, from_hex(block), commit, one),
                from_hex(part_of(one, "signature"), 64),
            )
            for one in part_of(commit, "signatures")
        }
    after = {header.parent: (block, header.app) for block, header in headers.items()}
    for proof in part_of(ledger, "proofs"):
        name, block = part_of(proof, "contract"), from_hex(part_of(proof, "block"))
        if block not in after or name not in contracts:
            raise Malformed("a proof of an unknown block or contract")
        following, app = after[block]
        evidence.resting |= {block, following}
        words = evidence.words.setdefault((name, block), {})
        for item in part_of(proof, "storage"):
            slot, value = from_hex(part_of(item, "slot")), from_hex(part_of(item, "value"))
            if _kept(app, contracts[name], slot, bytes_list(part_of(item, "proof"), None, 2)) != value:
                raise Malformed("a storage proof does not lead to its value")
            words[integer(slot)] = value
    return evidence


def _read_comet_headers(shown: Any, evidence: Evidence) -> dict[bytes, CometHeader]:
    """Every header, checked against its hash; what it says of its block goes into the evidence."""
    if len(shown) > 10_000:
        raise Malformed("too many headers")
    headers = {}
    for name, encoded in shown.items():
        block, leaves = from_hex(name), comet_fields(from_hex(encoded, None))
        header = headers[block] = CometHeader.read(leaves)
        if comet_hash(leaves) != block:
            raise Malformed("a header does not hash to its block")
        evidence.times[block], evidence.heights[block] = header.time, header.height
        evidence.parents[block], evidence.chains[block] = header.parent, header.chain
    if len({header.parent for header in headers.values()}) != len(headers):
        raise Malformed("two blocks after the same one")
    return headers


def _kept(app: bytes, address: bytes, slot: bytes, proofs: list[bytes]) -> bytes:
    """A word of a contract under the root of all stores; zero where the store shows that it has none."""
    store, stores = proofs
    evm, value = proved_value(store, b"\2" + address + slot, IAVL)
    if proved_value(stores, b"evm", STORES) != (app, evm) or len(value) > 32:
        raise Malformed("the store is not under the header's root")
    return value.rjust(32, b"\0")
