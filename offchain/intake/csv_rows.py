"""Rows of a CSV file (RFC 4180) with bounded memory and line numbers.

A quote that never closes would swallow the rest of a file into one field. A row may therefore span few lines; beyond that its
first line is refused and reading goes on with the next one.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from offchain.intake.lines import LONGEST, Line, lines, text
from offchain.intake.port import SourceFault
from offchain.quality import Rule

MOST_LINES = 200

csv.field_size_limit(LONGEST)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its first line's number, its fields, its text without the last line end."""

    line: int
    fields: list[str]
    text: str


def rows(path: Path, encoding: str = "utf-8", longest: int = LONGEST) -> Iterator[Row | SourceFault]:
    """Rows of a file, the header among them; what cannot be read is a SourceFault and the rest goes on."""
    waiting: deque[Line] = deque()
    source = lines(path, longest)
    while (first := _next(waiting, source)) is not None:
        decoded = text(first, encoding)
        if not isinstance(decoded, str):
            yield SourceFault(path.name, first.number, *decoded, first.data)
        elif decoded.strip():
            yield _row(path.name, first, decoded, waiting, source, encoding)


def _row(file: str, first: Line, decoded: str, waiting: deque[Line], source: Iterator[Line], encoding: str) -> Row | SourceFault:
    taken: list[Line] = []
    whole = decoded
    while whole.count('"') % 2:
        line = _next(waiting, source) if len(taken) < MOST_LINES else None
        more = text(line, encoding) if line is not None else None
        if line is not None:
            taken.append(line)
        if not isinstance(more, str):
            waiting.extendleft(reversed(taken))
            return SourceFault(file, first.number, Rule.CSV_ROW, "a quote is not closed", first.data)
        whole += "\n" + more
    try:
        fields = next(csv.reader([whole], strict=True))
    except (csv.Error, StopIteration) as error:
        return SourceFault(file, first.number, Rule.CSV_ROW, str(error), whole.encode(), 1 + len(taken))
    return Row(first.number, fields, whole)


def _next(waiting: deque[Line], source: Iterator[Line]) -> Line | None:
    return waiting.popleft() if waiting else next(source, None)
