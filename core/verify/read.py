"""Reading documents that somebody else made: every value is checked for kind and size."""

from __future__ import annotations

import json
import re
from typing import Any


class Malformed(Exception):
    """Input that is not in the format."""


class Missing(Exception):
    """Something that this check needs is not in the bundle."""


ZERO = bytes(32)
ALL_BITS = 2**256 - 1
_HEX = re.compile(r"0x(?:[0-9a-f]{2})*")


def integer(data: bytes) -> int:
    return int.from_bytes(data, "big")


def word_of(n: int) -> bytes:
    if not 0 <= n < 2**256:
        raise Malformed("a number out of range")
    return n.to_bytes(32, "big")


def kind_word(name: str) -> bytes:
    return name.encode().ljust(32, b"\0")


def from_hex(value: Any, size: int | None = 32) -> bytes:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise Malformed("not hex")
    data = bytes.fromhex(value[2:])
    if size is not None and len(data) != size:
        raise Malformed("hex of another length")
    return data


def part_of(doc: Any, *path: str) -> Any:
    for name in path:
        if not isinstance(doc, dict) or name not in doc:
            raise Malformed(f"{name} is missing")
        doc = doc[name]
    return doc


def number_in(value: Any, most: int = 2**64 - 1) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise Malformed("not a number in range")
    return value


def bytes_list(value: Any, size: int | None = 32, most: int = 300) -> list[bytes]:
    if not isinstance(value, list) or len(value) > most:
        raise Malformed("not a list of hashes")
    return [from_hex(v, size) for v in value]


def parse_json(text: str) -> Any:
    """JSON without duplicate keys or numbers that are none."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({k for k, _ in pairs}) != len(pairs):
            raise Malformed("a key twice")
        return dict(pairs)

    def refuse(name: str) -> Any:
        raise Malformed(name)

    return json.loads(text, object_pairs_hook=members, parse_constant=refuse)
