"""Strict ``0x`` hex, the form of byte strings in our JSON (docs/formats.md): lower case, exact length, nothing else accepted."""

from __future__ import annotations

from core.errors import Malformed

_DIGITS = frozenset("0123456789abcdef")


def to_hex(data: bytes) -> str:
    """``0x`` and two lower-case digits a byte."""
    return "0x" + data.hex()


def to_bytes(text: object, size: int | None = 32, name: str = "value") -> bytes:
    """Parse ``0x`` hex. ``size`` in bytes (None = any whole number of bytes); ``name`` is used in the error. Raises Malformed."""
    if not isinstance(text, str) or not text.startswith("0x") or not _DIGITS.issuperset(text[2:]) or len(text) % 2:
        raise Malformed("hex_malformed", detail=f"{name} must be lower-case hex with 0x")
    data = bytes.fromhex(text[2:])
    if size is not None and len(data) != size:
        raise Malformed("hex_malformed", detail=f"{name} must be {size} bytes, it is {len(data)}")
    return data
