"""Merkle tree in the shape of RFC 9162 §2.1 with SM3: leaf = SM3(00 ‖ data), node = SM3(01 ‖ left ‖ right), empty = SM3("").

Functions take *leaf hashes* (32 bytes each). :class:`Tree` keeps all levels, so that each further proof costs O(log n).
SM3 here is always hashlib's: the tree is public data and a hardware engine would only slow it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from core.errors import Malformed

_LEAF = hashlib.new("sm3", b"\0")
_NODE = hashlib.new("sm3", b"\1")
EMPTY = hashlib.new("sm3", b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf's data."""
    h = _LEAF.copy()
    h.update(data)
    return h.digest()


def leaf_hashes(items: Iterable[bytes]) -> list[bytes]:
    """:func:`leaf_hash` of many, in one loop."""
    copy = _LEAF.copy
    out: list[bytes] = []
    add = out.append
    for data in items:
        h = copy()
        h.update(data)
        add(h.digest())
    return out


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    h = _NODE.copy()
    h.update(left + right)
    return h.digest()


def _level_up(below: Sequence[bytes]) -> list[bytes]:
    copy = _NODE.copy
    out: list[bytes] = []
    add = out.append
    pairs = iter(below)
    for left, right in zip(pairs, pairs, strict=False):
        h = copy()
        h.update(left + right)
        add(h.digest())
    if len(below) & 1:
        add(below[-1])
    return out


def root(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes; SM3("") for none.

    An odd node is carried up unchanged, which gives exactly the RFC's tree (split at the largest power of two below n).
    """
    if not leaves:
        return EMPTY
    level: Sequence[bytes] = leaves
    while len(level) > 1:
        level = _level_up(level)
    return level[0]


class Tree:
    """All levels of a tree over leaf hashes; proofs without hashing again."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.levels: list[Sequence[bytes]] = [leaves]
        while len(self.levels[-1]) > 1:
            self.levels.append(_level_up(self.levels[-1]))

    def __len__(self) -> int:
        return len(self.levels[0])

    @property
    def root(self) -> bytes:
        """Root hash."""
        return self.levels[-1][0] if self.levels[0] else EMPTY

    def inclusion_proof(self, index: int) -> list[bytes]:
        """Audit path of leaf ``index`` (RFC 9162 §2.1.3.1), lowest sibling first. Malformed if there is no such leaf."""
        if not 0 <= index < len(self):
            raise Malformed("leaf_unknown", detail=f"leaf {index} of a tree of {len(self)}")
        path = []
        for level in self.levels[:-1]:
            if index ^ 1 < len(level):
                path.append(level[index ^ 1])
            index >>= 1
        return path


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Audit path of one leaf; for many proofs of one tree use :class:`Tree`."""
    return Tree(leaves).inclusion_proof(index)


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> bool:
    """Whether ``path`` leads from leaf hash ``leaf`` at ``index`` of a tree of ``size`` to ``expected`` (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == expected


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Proof that the tree over the first ``old_size`` leaves is a prefix of this one (RFC 9162 §2.1.4.1)."""
    if not 0 < old_size <= len(leaves):
        raise Malformed("leaf_unknown", detail=f"old size {old_size} of a tree of {len(leaves)}")
    return _subproof(leaves, old_size, complete=True)


def _subproof(leaves: Sequence[bytes], m: int, *, complete: bool) -> list[bytes]:
    n = len(leaves)
    if m == n:
        return [] if complete else [root(leaves)]
    k = 1 << ((n - 1).bit_length() - 1)
    if m <= k:
        return [*_subproof(leaves[:k], m, complete=complete), root(leaves[k:])]
    return [*_subproof(leaves[k:], m - k, complete=False), root(leaves[:k])]


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether ``path`` shows that the tree with ``old_root`` is a prefix of the one with ``new_root`` (RFC 9162 §2.1.4.2)."""
    if not 0 < old_size <= new_size:
        return False
    if old_size == new_size:
        return not path and old_root == new_root
    nodes = list(path)
    if old_size & (old_size - 1) == 0:
        nodes.insert(0, old_root)
    if not nodes:
        return False
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = nodes[0]
    for c in nodes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == new_root
