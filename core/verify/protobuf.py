"""Protocol Buffers, as far as headers and proofs need them."""

from __future__ import annotations

from typing import Any

from .read import Malformed


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("a number of a message ends early")
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return value, at


def uvarint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded, value = encoded + bytes([value & 0x7F | 0x80]), value >> 7
    return encoded + bytes([value])


def protobuf(data: bytes) -> dict[int, list[Any]]:
    """Fields of a message by number: varints as numbers, the rest as bytes."""
    fields: dict[int, list[Any]] = {}
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        value: Any
        if tag & 7 == 0:
            value, at = varint(data, at)
        elif tag & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
            if at > len(data):
                raise Malformed("a message ends early")
        else:
            raise Malformed("a field of another type")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def field_of(fields: dict[int, list[Any]], number: int, absent: Any) -> Any:
    """The only value of a field, of the type of ``absent``."""
    values = fields.get(number, [absent])
    if len(values) != 1 or type(values[0]) is not type(absent):
        raise Malformed("a field twice or of another type")
    return values[0]


def tagged(number: int, value: bytes) -> bytes:
    """A field that is bytes, text or a message."""
    return bytes([number << 3 | 2]) + uvarint(len(value)) + value
