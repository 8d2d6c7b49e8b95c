"""RLP and Merkle-Patricia proofs of EVM nodes."""

from __future__ import annotations

from typing import Any

from .hashes import keccak256
from .read import Malformed, integer


def rlp_decode(data: bytes) -> Any:
    """One RLP item: bytes or a list. Malformed for anything else, or bytes behind it."""
    item, rest = _rlp_item(data, 0)
    if rest:
        raise Malformed("bytes behind an RLP item")
    return item


def _rlp_item(data: bytes, depth: int) -> tuple[Any, bytes]:
    if not data or depth > 8:
        raise Malformed("RLP ends early or nests too deep")
    head = data[0]
    if head < 0x80:
        return data[:1], data[1:]
    is_list, short = head >= 0xC0, head - (0xC0 if head >= 0xC0 else 0x80)
    start, size = 1, short
    if short > 55:
        start = short - 54
        size = integer(data[1:start])
    if len(data) < start + size:
        raise Malformed("RLP ends early")
    body, rest = data[start : start + size], data[start + size :]
    return (_rlp_list(body, depth), rest) if is_list else (body, rest)


def _rlp_list(body: bytes, depth: int) -> list[Any]:
    items = []
    while body:
        item, body = _rlp_item(body, depth + 1)
        items.append(item)
    return items


def trie_value(root: bytes, key: bytes, nodes: list[bytes]) -> bytes | None:
    """Value under ``keccak256(key)`` in a secure Merkle-Patricia trie, by its proof; None if the proof shows that there is
    none."""
    path = keccak256(key).hex()
    expected: Any = root
    for node in nodes:
        if not isinstance(expected, bytes) or len(expected) != 32 or keccak256(node) != expected:
            raise Malformed("a proof node does not hash to its parent's reference")
        step = _trie_step(rlp_decode(node), path)
        while isinstance(step, tuple) and isinstance(step[0], list):
            step = _trie_step(step[0], step[1])
        if not isinstance(step, tuple):
            return step
        expected, path = step
    raise Malformed("the proof ends before its value")


def _trie_step(node: Any, path: str) -> bytes | tuple[Any, str] | None:
    """Value, None (shown absent), or (reference, remaining path)."""
    if not isinstance(node, list) or len(node) not in (2, 17):
        raise Malformed("not a trie node")
    if len(node) == 17:
        if not path:
            return _trie_leaf(node[16])
        child, rest = node[int(path[0], 16)], path[1:]
        return (child, rest) if child != b"" else None
    if not isinstance(node[0], bytes) or not node[0]:
        raise Malformed("not a trie node")
    nibbles = node[0].hex()
    prefix = nibbles[1:] if int(nibbles[0], 16) & 1 else nibbles[2:]
    if int(nibbles[0], 16) & 2:
        return _trie_leaf(node[1]) if path == prefix else None
    return (node[1], path[len(prefix) :]) if path.startswith(prefix) and prefix else None


def _trie_leaf(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise Malformed("a trie value is not bytes")
    return value
