"""ASN.1 DER (X.690), as far as certificates and signatures need it."""

from __future__ import annotations

from .read import Malformed, integer

SEQUENCE, SET, INTEGER, BITS, OID, VERSION = 0x30, 0x31, 0x02, 0x03, 0x06, 0xA0


def der_items(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Tag, content and whole bytes of each DER value in a row."""
    items, at = [], 0
    while at < len(data):
        start, size, at = at, data[at + 1], at + 2
        if size >= 0x80:
            size, at = integer(data[at : at + size - 0x80]), at + size - 0x80
        at += size
        if at > len(data):
            raise Malformed("a DER value ends early")
        items.append((data[start], data[at - size : at], data[start:at]))
    return items


def der_contents(data: bytes, *tags: int) -> list[bytes]:
    """Contents of exactly these values in a row."""
    items = der_items(data)
    if tuple(tag for tag, *_ in items) != tags:
        raise Malformed("a DER value of another form")
    return [content for _, content, _ in items]


def der_value(tag: int, content: bytes) -> bytes:
    size = bytes([len(content)]) if len(content) < 0x80 else b"\x81" + bytes([len(content)])
    return bytes([tag]) + size + content
