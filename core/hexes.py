"""Strict ``0x`` hex, the form of byte strings in our JSON (docs/formats.md): lower case, exact length, nothing else accepted."""

from __future__ import annotations

from core.errors import Malformed


def to_hex(data: bytes) -> str:
    """``0x`` and two lower-case digits a byte."""
    return "0x" + data.hex()


def to_bytes(text: object, size: int | None = 32, name: str = "value") -> bytes:
    """Parse ``0x`` hex. ``size`` in bytes (None = any whole number of bytes); ``name`` is used in the error. Raises Malformed."""
    data = _parsed(text) if isinstance(text, str) else None
    if data is None:
        raise Malformed("hex_malformed", detail=f"{name} must be lower-case hex with 0x")
    if size is not None and len(data) != size:
        raise Malformed("hex_malformed", detail=f"{name} must be {size} bytes, it is {len(data)}")
    return data


def _parsed(text: str) -> bytes | None:
    """``fromhex`` also takes upper case and blanks, which do not come back the same."""
    try:
        data = bytes.fromhex(text[2:])
    except ValueError:
        return None
    return data if to_hex(data) == text else None
