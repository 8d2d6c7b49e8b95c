"""What a relation of the mirror is: a SQL table, what of it the digest covers, and how one of its rows becomes bytes.

Two shapes. A *fact* happened once, at a position (``height · 2²⁴ + event index``). A *state* has one row for every block in
which it changed,
valid from that block until ``valid_to`` (NULL: still). Facts and versions are only ever inserted, which is why unwinding needs no
copies of what was there before: see docs/decisions/0007-mirror-digest-and-unwind.md.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import starmap
from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData()

POSITION_SHIFT = 24
#: Largest integer every JSON reader takes exactly (RFC 8785, I-JSON); numbers of the ledger above it are stored as it.
NUMBER_MAX = 2**53 - 1
ZERO = bytes(32)
NAME_LENGTH = 40

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Kind:
    """How a column lies in SQL and in digest bytes; ``code`` is its struct code, empty for lengths that vary."""

    type: sa.types.TypeEngine[Any]
    code: str


WORD = Kind(sa.LargeBinary(32), "32s")
ACCOUNT = Kind(sa.LargeBinary(20), "20s")
NUMBER = Kind(sa.BigInteger(), "Q")
TEXT = Kind(sa.Text(), "")


@dataclass(frozen=True, eq=False)
class Relation:
    """A table of the mirror. ``columns`` are those a row tuple has, in order; ``key`` is the state's key, None for a fact.

    Digest bytes of a row: numbers as 8 bytes, words as 32, accounts as 20, text as its length in 4 bytes and UTF-8; big-endian,
    in column order.
    Fixed-length columns come first.
    """

    table: sa.Table
    kinds: tuple[Kind, ...]
    key: str | None = None

    @cached_property
    def name(self) -> str:
        """The table's name."""
        return str(self.table.name)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of a row tuple."""
        return tuple(c.name for c in self.table.columns if c.name != "valid_to")

    @cached_property
    def head(self) -> bytes:
        """The kind word that starts this relation's rows in a block's digest bytes."""
        return self.name.encode().ljust(32, b"\0")

    @cached_property
    def pack(self) -> Callable[[Iterable[Row]], bytes]:
        """Digest bytes of rows, without the head."""
        fixed = [k.code for k in self.kinds if k.code]
        encode = struct.Struct(">" + "".join(fixed)).pack
        if len(fixed) == len(self.kinds):
            return lambda rows: b"".join(starmap(encode, rows))
        n = len(fixed)
        return lambda rows: b"".join(encode(*row[:n]) + b"".join(map(sized, row[n:])) for row in rows)

    @cached_property
    def key_at(self) -> int:
        """Where in a row tuple the key stands (states only)."""
        return self.columns.index(str(self.key))


def sized(text: str) -> bytes:
    """Length in 4 bytes, then UTF-8."""
    return _sized_name(text) if len(text) <= NAME_LENGTH else _sized_raw(text)


def _sized_raw(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(4, "big") + raw


# Names of contracts and events come again and again; arguments do not, and would only fill the cache.
_sized_name = lru_cache(256)(_sized_raw)


def _ordered(columns: dict[str, Kind]) -> dict[str, Kind]:
    return {n: k for n, k in columns.items() if k.code} | {n: k for n, k in columns.items() if not k.code}


def fact(name: str, columns: dict[str, Kind], index: Sequence[str] = (), part: str | None = None) -> Relation:
    """A relation of things that happened: ``position``, ``height``, then ``columns``; ``index`` names columns people search by.

    ``part`` names the column that numbers the rows of one event where an event has many.
    """
    kinds = {"position": NUMBER, "height": NUMBER, **_ordered(columns)}
    integer = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    table = sa.Table(
        name,
        metadata,
        *(sa.Column(n, integer if k is NUMBER else k.type, nullable=False) for n, k in kinds.items()),
        sa.PrimaryKeyConstraint("position", *([part] if part else [])),
        *(sa.Index(f"ix_{name}_{n}", n) for n in index),
        sqlite_with_rowid=part is None,
    )
    return Relation(table, tuple(kinds.values()))


def state(name: str, key: str, kind: Kind, columns: dict[str, Kind], index: Sequence[str] = ()) -> Relation:
    """A relation of things that change: ``key``, ``valid_from`` (height), then ``columns``, then ``valid_to`` (height or
    NULL)."""
    kinds = _ordered({key: kind, "valid_from": NUMBER, **columns})
    if not kind.code:
        kinds = {"valid_from": NUMBER, **_ordered(columns), key: kind}
    table = sa.Table(
        name,
        metadata,
        *(sa.Column(n, k.type, nullable=False) for n, k in kinds.items()),
        sa.Column("valid_to", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint(key, "valid_from"),
        sa.Index(f"ix_{name}_valid_from", "valid_from"),
        sa.Index(
            f"ix_{name}_valid_to",
            "valid_to",
            sqlite_where=sa.text("valid_to IS NOT NULL"),
            postgresql_where=sa.text("valid_to IS NOT NULL"),
        ),
        *(sa.Index(f"ix_{name}_{n}", n) for n in index),
    )
    return Relation(table, tuple(kinds.values()), key)


def number(value: int) -> int:
    """A ledger number as the mirror stores it: at most 2⁵³−1, so that nobody can stop a mirror with a date no database can
    hold."""
    return value if value <= NUMBER_MAX else NUMBER_MAX


def account(address: str) -> bytes:
    """The 20 bytes of a ledger account written ``0x…``."""
    return bytes.fromhex(address[2:])


def position(height: int, index: int) -> int:
    """Where an event stands on the ledger, as one number that sorts like the ledger."""
    return height << POSITION_SHIFT | index


BLOCK = sa.Table(
    "block",
    metadata,
    sa.Column("height", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("hash", WORD.type, nullable=False, unique=True),
    sa.Column("parent", WORD.type, nullable=False),
    sa.Column("time", sa.BigInteger(), nullable=False),
    sa.Column("events", sa.BigInteger(), nullable=False),
    sa.Column("digest", WORD.type, nullable=False),
)

#: Every event of the platform's contracts, as it was; ``args`` is RFC 8785 JSON (:func:`mirror.events.arguments`).
EVENT = fact("event", {"transaction_id": WORD, "contract": TEXT, "event": TEXT, "args": TEXT}, index=["contract"])

#: Which events an identifier occurs in. ``prefix`` is the identifier's first 8 bytes as a signed number: a search key a quarter
#: the size of
#: the identifier; whoever searches compares the whole identifier with the event. An index, so the digest does not cover it.
MENTION = sa.Table(
    "mention",
    metadata,
    sa.Column("prefix", sa.BigInteger(), nullable=False),
    sa.Column("position", sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint("prefix", "position"),
    sqlite_with_rowid=False,
)

#: One row: which ledger this is a mirror of, and the last block that is in.
CURSOR = sa.Table(
    "cursor",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("ledger_id", WORD.type, nullable=False),
    sa.Column("genesis", WORD.type, nullable=False),
    sa.Column("chain", sa.BigInteger(), nullable=False),
    sa.Column("height", sa.BigInteger(), nullable=False),
    sa.Column("hash", WORD.type, nullable=False),
    sa.Column("digest", WORD.type, nullable=False),
)

#: One row: how the follower is doing, for people; written apart from blocks.
CONDITION = sa.Table(
    "condition",
    metadata,
    sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("state", sa.Text(), nullable=False),
    sa.Column("detail", sa.Text(), nullable=False),
    sa.Column("since", sa.BigInteger(), nullable=False),
    sa.Column("seen", sa.BigInteger(), nullable=False),
    sa.Column("unwound", sa.BigInteger(), nullable=False),
)

SCHEMA_VERSION = sa.Table(
    "schema_version",
    metadata,
    sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
)
