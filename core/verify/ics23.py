"""ICS-23 proofs of CometBFT ledgers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .hashes import sha256
from .protobuf import field_of, protobuf, uvarint, varint
from .read import Malformed


@dataclass(frozen=True)
class Shape:
    """How a store's tree is hashed (ICS-23 proof spec). ``head``: numbers before the hashes of a node; ``length``: whether each
    child's hash has its length before it."""

    head: int
    first: bytes
    length: bytes

    def leaf(self, op: bytes) -> bytes:
        """A leaf's prefix, checked."""
        fields = protobuf(op)
        kind = [field_of(fields, number, 0) for number in (1, 2, 3, 4)]
        prefix: bytes = field_of(fields, 5, b"")
        if kind != [1, 0, 1, 1] or prefix[:1] != b"\0" or self._rest(prefix):
            raise Malformed("a leaf of another kind of tree")
        return prefix

    def node(self, op: bytes) -> tuple[bytes, bytes, bool]:
        """A node's bytes before and after the child that is proved, and whether that is the left one."""
        fields = protobuf(op)
        prefix, suffix = field_of(fields, 2, b""), field_of(fields, 3, b"")
        if field_of(fields, 1, 0) != 1 or prefix[:1] == b"\0":
            raise Malformed("a node of another kind of tree")
        other, rest = len(self.length) + 32, self._rest(prefix)
        if rest == self.length and len(suffix) == other and suffix.startswith(self.length):
            return prefix, suffix, True
        between = rest[other:]
        if not suffix and len(rest) == other + len(self.length) and rest.startswith(self.length) and between == self.length:
            return prefix, suffix, False
        raise Malformed("a node of another shape")

    def _rest(self, prefix: bytes) -> bytes:
        """What follows a node's own numbers."""
        if self.first:
            return prefix[1:] if prefix[:1] in (b"\0", self.first) else prefix
        at = 0
        for _ in range(self.head):
            _, at = varint(prefix, at)
        return prefix[at:]


# A node of an IAVL tree begins with its height, size and version, a leaf with height 0; the tree over all stores is RFC 6962's.
IAVL = Shape(3, b"", b"\x20")
STORES = Shape(1, b"\1", b"")


@dataclass(frozen=True)
class Existence:
    """A key with its value in a tree: ``root`` follows from them. ``path``: from the leaf up, each node's bytes and side."""

    key: bytes
    value: bytes
    root: bytes
    path: list[tuple[bytes, bytes, bool]]

    @classmethod
    def read(cls, data: bytes, shape: Shape) -> Existence:
        """From an ICS-23 ExistenceProof."""
        fields = protobuf(data)
        key, value, leaf = field_of(fields, 1, b""), field_of(fields, 2, b""), shape.leaf(field_of(fields, 3, b""))
        if not key or not value:
            raise Malformed("a proof of nothing")
        digest = sha256(leaf + uvarint(len(key)) + key + b"\x20" + sha256(value))
        path = [shape.node(op) for op in fields.get(4, [])]
        for prefix, suffix, _ in path:
            digest = sha256(prefix + digest + suffix)
        return cls(key, value, digest, path)

    def is_outermost(self, left: bool) -> bool:
        """Whether no other leaf lies on that side."""
        return all(side is left for *_, side in self.path)


def proved_value(proof: bytes, key: bytes, shape: Shape) -> tuple[bytes, bytes]:
    """(root, value) of an ICS-23 CommitmentProof for a key; an empty value: the tree has none. Malformed if it proves neither."""
    fields = protobuf(proof)
    if set(fields) == {1}:
        there = Existence.read(field_of(fields, 1, b""), shape)
        if there.key != key:
            raise Malformed("a proof of another key")
        return there.root, there.value
    if set(fields) != {2}:
        raise Malformed("not a proof of a key")
    return _absent(protobuf(field_of(fields, 2, b"")), key, shape), b""


def _absent(fields: dict[int, list[Any]], key: bytes, shape: Shape) -> bytes:
    """Root of a tree in which two neighbours, or the first or last leaf, leave no room for the key."""
    left = Existence.read(field_of(fields, 2, b""), shape) if 2 in fields else None
    right = Existence.read(field_of(fields, 3, b""), shape) if 3 in fields else None
    if (left is not None and left.key >= key) or (right is not None and key >= right.key):
        raise Malformed("the key does not lie between its neighbours")
    if left is not None and right is not None:
        holds = left.root == right.root and _neighbours(left.path, right.path)
    else:
        holds = left.is_outermost(False) if left is not None else right is not None and right.is_outermost(True)
    if not holds:
        raise Malformed("not a proof of absence")
    return (left or right).root  # type: ignore[union-attr]


def _neighbours(left: list[tuple[bytes, bytes, bool]], right: list[tuple[bytes, bytes, bool]]) -> bool:
    """Whether two leaves of one tree have none between them: below the node where their ways part, one keeps to the right
    and the other to the left."""
    a, b = left[::-1], right[::-1]
    while a and b and a[0] == b[0]:
        a, b = a[1:], b[1:]
    parted = a and b and a[0][2] and not b[0][2]
    return bool(parted and not any(side for *_, side in a[1:]) and all(side for *_, side in b[1:]))
