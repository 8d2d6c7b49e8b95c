"""32-byte words: the unit of everything a contract reads (docs/formats.md, head)."""

from __future__ import annotations

from core.errors import Malformed

SIZE = 32
ZERO = bytes(SIZE)


def word(value: int | bytes) -> bytes:
    """An unsigned integer, or bytes of at most 32, as a big-endian word (bytes are left-padded, as an EVM address is)."""
    if isinstance(value, int):
        return _unsigned(value, SIZE)
    if len(value) > SIZE:
        raise Malformed("word_malformed", detail=f"{len(value)} bytes do not fit a word of {SIZE}")
    return value.rjust(SIZE, b"\0")


def kind_word(name: str) -> bytes:
    """The ASCII name padded with zero bytes to 32: the first word of every message."""
    raw = name.encode("ascii")
    if not 0 < len(raw) <= SIZE:
        raise Malformed("word_malformed", detail="a kind has 1 to 32 ASCII characters")
    return raw.ljust(SIZE, b"\0")


def exact(value: bytes, name: str = "word") -> bytes:
    """``value`` if it has exactly 32 bytes, else Malformed."""
    if len(value) != SIZE:
        raise Malformed("word_malformed", detail=f"{name} must be {SIZE} bytes, it is {len(value)}")
    return value


def split(data: bytes) -> list[bytes]:
    """Cut into words; Malformed if the length is not a multiple of 32."""
    if len(data) % SIZE:
        raise Malformed("word_malformed", detail=f"{len(data)} bytes are not whole words")
    return [data[i : i + SIZE] for i in range(0, len(data), SIZE)]


def u8(value: int) -> bytes:
    """One byte."""
    return _unsigned(value, 1)


def u16(value: int) -> bytes:
    """Two bytes, big-endian."""
    return _unsigned(value, 2)


def u32(value: int) -> bytes:
    """Four bytes, big-endian."""
    return _unsigned(value, 4)


def u64(value: int) -> bytes:
    """Eight bytes, big-endian."""
    return _unsigned(value, 8)


def number(data: bytes) -> int:
    """Big-endian unsigned integer."""
    return int.from_bytes(data, "big")


def _unsigned(value: int, size: int) -> bytes:
    try:
        return value.to_bytes(size, "big")
    except OverflowError as e:
        raise Malformed("word_malformed", detail=f"{value} does not fit {size * 8} unsigned bits") from e
