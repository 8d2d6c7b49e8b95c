"""The index entry: 8 words, 256 bytes, the leaf data of an organisation's index tree (docs/formats.md §3)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import Malformed
from core.words import ZERO, kind_word

KIND = kind_word("healthtrust/index-entry/v1")
SIZE = 256
TOMBSTONE = 1
_PACK = struct.Struct(">32s32s32s32s32s32s32sQIBBHQQ")
_MAX_TIME = 2**63


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One version of one record as the index knows it. Ids and commitments are 32 bytes; times are UTC seconds.

    ``sequence`` counts an organisation's entries from 0 without gaps; ``version`` counts a record's versions from 1;
    ``previous`` is the commitment of the version before (zeros for the first); ``category`` is a vocabulary number; ``flags``
    bit 0 = tombstone.
    """

    organisation: bytes
    record: bytes
    subject: bytes
    commitment: bytes
    schema: bytes
    previous: bytes = ZERO
    sequence: int = 0
    version: int = 1
    category: int = 0
    flags: int = 0
    recorded_at: int = 0
    indexed_at: int = 0

    @property
    def tombstone(self) -> bool:
        """Whether this entry says that the record was taken back or erased."""
        return bool(self.flags & TOMBSTONE)

    def pack(self) -> bytes:
        """The 256 bytes. Malformed if a field does not fit."""
        words = (self.organisation, self.record, self.subject, self.commitment, self.schema, self.previous)
        if any(len(w) != 32 for w in words):
            raise Malformed("entry_malformed", detail="an id or commitment of an index entry is not 32 bytes")
        numbers = (self.sequence, self.version, self.category, self.flags, 0, self.recorded_at, self.indexed_at)
        try:
            return _PACK.pack(KIND, *words, *numbers)
        except struct.error as e:
            raise Malformed("entry_malformed", detail=f"a number of the index entry does not fit: {e}") from e

    @classmethod
    def unpack(cls, data: bytes) -> IndexEntry:
        """Parse 256 bytes; Malformed for another kind, length, or set reserved bits."""
        if len(data) != SIZE:
            raise Malformed("entry_malformed", detail=f"an index entry has {SIZE} bytes, this has {len(data)}")
        kind, *words, sequence, version, category, flags, zero, recorded_at, indexed_at = _PACK.unpack(data)
        if kind != KIND or zero or flags & ~TOMBSTONE:
            raise Malformed("entry_malformed", detail="not an index entry of version 1")
        o, r, s, c, sc, p = words
        return cls(o, r, s, c, sc, p, sequence, version, category, flags, recorded_at, indexed_at)


def pack_many(entries: Iterable[IndexEntry]) -> list[bytes]:
    """:meth:`IndexEntry.pack` of many; for the hot path of intake use :func:`pack_rows`."""
    return [e.pack() for e in entries]


Row = tuple[bytes, bytes, bytes, bytes, bytes, bytes, int, int, int, int, int, int]
"""(organisation, record, subject, commitment, schema, previous, sequence, version, category, flags, recorded_at, indexed_at)"""


def pack_rows(rows: Iterable[Row]) -> list[bytes]:
    """Leaf data of many rows at about 2 million a second: one ``struct`` call a row, no dataclass between. Words must be 32
    bytes long."""
    pack, kind = _PACK.pack, KIND
    return [pack(kind, o, r, s, c, sc, p, n, v, ca, f, 0, t, i) for o, r, s, c, sc, p, n, v, ca, f, t, i in rows]


def unpack_many(data: bytes) -> list[IndexEntry]:
    """Entries of a concatenation. Malformed as :meth:`IndexEntry.unpack`."""
    if len(data) % SIZE:
        raise Malformed("entry_malformed", detail="bytes are not whole index entries")
    return [IndexEntry.unpack(data[i : i + SIZE]) for i in range(0, len(data), SIZE)]
