"""ICS-23 proofs in an IAVL tree of our own: what is there, what is not, and what only looks so. Rows of ``ics23.json``."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any


def field(number: int, content: bytes) -> bytes:
    """A Protobuf field that is bytes or a message."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(n: int) -> bytes:
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + _varint(n >> 7)


def leaf(prefix: bytes) -> bytes:
    return field(3, b"\x08\x01\x18\x01\x20\x01" + field(5, prefix))


HEAD = b"\0\x02\x04"


class Tree:
    """Keys in order, halved again and again. ``steps``: for each key its path from the leaf up, as ICS-23 has it."""

    def __init__(self, keys: list[bytes]) -> None:
        self.keys = keys
        self.steps: dict[bytes, bytes] = dict.fromkeys(keys, b"")
        self.root = self._hash(keys)

    def _hash(self, keys: list[bytes]) -> bytes:
        if len(keys) == 1:
            return sha256(HEAD + _varint(len(keys[0])) + keys[0] + b"\x20" + sha256(b"v" + keys[0]).digest()).digest()
        half = (len(keys) + 1) // 2
        left, right = self._hash(keys[:half]), self._hash(keys[half:])
        head = b"\x02" + _varint(2 * len(keys)) + b"\x04\x20"
        for key in keys[:half]:
            self.steps[key] += field(4, b"\x08\x01" + field(2, head) + field(3, b"\x20" + right))
        for key in keys[half:]:
            self.steps[key] += field(4, b"\x08\x01" + field(2, head + left + b"\x20"))
        return sha256(head + left + b"\x20" + right).digest()

    def there(self, key: bytes, prefix: bytes = HEAD) -> bytes:
        return field(1, key) + field(2, b"v" + key) + leaf(prefix) + self.steps[key]

    def absent(self, left: bytes | None, right: bytes | None) -> bytes:
        shown = (field(2, self.there(left)) if left else b"") + (field(3, self.there(right)) if right else b"")
        return field(2, field(1, b"?") + shown)


def rows() -> list[dict[str, Any]]:
    """``{"name", "proof", "key", "root", "value"}``; no root: it proves nothing."""
    return [
        {"name": name, "proof": proof.hex(), "key": key.hex(), "root": root and root.hex(), "value": value.hex()}
        for name, proof, key, root, value in (*_true(), *_false())
    ]


Row = tuple[str, bytes, bytes, bytes | None, bytes]


def _true() -> Iterator[Row]:
    for count in (1, 2, 3, 5, 8, 13):
        tree = Tree([b"k%02d" % n for n in range(count)])
        for key in tree.keys:
            yield f"{key!r} of {count}", field(1, tree.there(key)), key, tree.root, b"v" + key
            yield f"{key!r} of {count} is not its neighbour", field(1, tree.there(key)), key + b"x", None, b""
        for left, right in zip([None, *tree.keys], [*tree.keys, None], strict=True):
            yield f"nothing between {left!r} and {right!r}", tree.absent(left, right), (left or b"a") + b"x", tree.root, b""


def _false() -> Iterator[Row]:
    tree = Tree([b"k%02d" % n for n in range(8)])
    for name, left, right, key in (
        ("not beside each other", b"k01", b"k03", b"k02"),
        ("the wrong way round", b"k03", b"k02", b"k02x"),
        ("not the first", None, b"k01", b"k00"),
        ("not the last", b"k06", None, b"k07"),
        ("it is there", b"k02", b"k03", b"k03"),
        ("elsewhere", b"k02", b"k03", b"k09"),
        ("no neighbours", None, None, b"k02"),
    ):
        yield name, tree.absent(left, right), key, None, b""
    mixed = field(2, field(2, tree.there(b"k02")) + field(3, Tree([b"k02", b"k04"]).there(b"k04")))
    yield "neighbours of two trees", mixed, b"k03", None, b""
    # Else bytes of a value could pass for a tree of their own.
    for prefix in (b"\x02\x04\x04", b"\0\x02\x04\x20", b""):
        yield f"a leaf that begins {prefix!r}", field(1, tree.there(b"k00", prefix)), b"k00", None, b""
    for step in (
        b"\x08\x01" + field(2, b"\0\x02\x04\x20") + field(3, b"\x20" + b"1" * 32),
        b"\x08\x02" + field(2, b"\x02\x04\x04\x20"),
        b"\x08\x01" + field(2, b"\x02\x04\x04\x20") + field(3, b"\x21" + b"1" * 32),
    ):
        bare = field(1, b"k00") + field(2, b"vk00") + leaf(HEAD)
        yield f"a step {step!r}", field(1, bare + field(4, step)), b"k00", None, b""
    for name, proof in (("both kinds", field(1, tree.there(b"k00")) + tree.absent(None, b"k00")), ("nothing", b"")):
        yield name, proof, b"k00", None, b""
