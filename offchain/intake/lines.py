"""Lines of a file with bounded memory: a line that is too long is refused with its number, and the rest goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from offchain.quality import Rule

LONGEST = 16 * 1024 * 1024
_CHUNK = 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end; ``data`` is None where it was longer than the limit (``length`` bytes)."""

    number: int
    data: bytes | None
    length: int


def lines(path: Path, longest: int = LONGEST) -> Iterator[Line]:
    """Lines of a file, counted from 1, ended by LF or CRLF, without a UTF-8 byte-order mark. Holds at most ``longest`` bytes."""
    number = 1
    for data, length in _pieces(path, longest):
        if number == 1 and data is not None:
            data = data.removeprefix(_BOM)
        if data is not None:
            data = data.removesuffix(b"\r")
        yield Line(number, data, length)
        number += 1


def text(line: Line, encoding: str) -> str | tuple[Rule, str]:
    """The line as text, or the rule it breaks with what to do about it."""
    if line.data is None:
        return Rule.LINE_TOO_LONG, f"{line.length} bytes, the limit is {LONGEST}"
    if line.number == 1 and line.data.startswith(_WIDE):
        return Rule.ENCODING, "UTF-16; export as UTF-8"
    try:
        return line.data.decode(encoding)
    except UnicodeDecodeError as error:
        return Rule.ENCODING, f"not {encoding} at byte {error.start}; name the source's encoding (gb18030?) or export as UTF-8"


def _pieces(path: Path, longest: int) -> Iterator[tuple[bytes | None, int]]:
    kept, length, dropped = bytearray(), 0, False
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            *whole, rest = chunk.split(b"\n")
            for piece in whole:
                length += len(piece)
                too_long = dropped or length > longest
                yield (None if too_long else bytes(kept + piece)), length
                kept, length, dropped = bytearray(), 0, False
            length += len(rest)
            dropped = dropped or length > longest
            kept = bytearray() if dropped else kept + rest
    if length:
        yield (None if dropped else bytes(kept)), length
