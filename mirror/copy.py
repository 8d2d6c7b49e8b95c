"""Rows as PostgreSQL's binary COPY takes them, a table's layout worked out once.

psycopg asks each value what it is; the mirror's columns are numbers, words, accounts and texts, which one ``struct`` a row writes
at a fifth of the cost. Layout: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cache
from operator import itemgetter

import sqlalchemy as sa

from mirror.models import Row, sized

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = struct.pack(">i", -1)
_end = struct.Struct(">iq").pack


def copy_bytes(table: sa.Table, columns: tuple[str, ...], rows: Sequence[Row]) -> bytes:
    """The whole of a ``COPY … (FORMAT BINARY)`` for rows in the order of ``columns``."""
    return b"".join([HEADER, *map(_row(table, columns), rows), TRAILER])


@cache
def _row(table: sa.Table, columns: tuple[str, ...]) -> Callable[[Row], bytes]:
    """How one row is written. Columns of fixed length come first, then texts, then a number that may be missing."""
    kinds = [table.c[name] for name in columns]
    lengths = [length for column in kinds if not column.nullable and (length := _length(column))]
    fixed, count = len(lengths), len(columns)
    head = _fixed(count, lengths)
    if kinds[-1].nullable:
        return lambda row: b"".join([head(row), *map(sized, row[fixed:-1]), NULL if row[-1] is None else _end(8, row[-1])])
    if fixed == count:
        return head
    return lambda row: b"".join([head(row), *map(sized, row[fixed:])])


def _fixed(count: int, lengths: Sequence[int]) -> Callable[[Row], bytes]:
    """The number of columns, then every column of fixed length behind its length."""
    encode = struct.Struct(">h" + "".join("iq" if length == 8 else f"i{length}s" for length in lengths)).pack
    constants = (count, *lengths)
    at = [0]
    for n in range(len(lengths)):
        at += 1 + n, len(constants) + n
    pick = itemgetter(*at)
    return lambda row: encode(*pick(constants + row))


def _length(column: sa.Column[object]) -> int:
    """Bytes of a value, 0 where they vary."""
    if isinstance(column.type, sa.BigInteger):
        return 8
    return int(column.type.length or 0) if isinstance(column.type, sa.LargeBinary) else 0
