"""Merkle trees (RFC 9162, over SM3)."""

from __future__ import annotations

from .hashes import sm3


def leaf_hash(data: bytes) -> bytes:
    """SM3(00 ‖ data)."""
    return sm3(b"\0" + data)


def tree_root(leaves: list[bytes]) -> bytes:
    """Root over leaf hashes, by the definition of RFC 9162."""
    if not leaves:
        return sm3(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sm3(b"\1" + tree_root(leaves[:split]) + tree_root(leaves[split:]))


def included(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """Whether the audit path leads from a leaf hash to the root (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = sm3(b"\1" + p + r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sm3(b"\1" + r + p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root
