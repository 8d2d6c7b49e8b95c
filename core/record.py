"""The canonical record (docs/formats.md §9): elements committed one by one, so that a cut record can still be checked.

Canonical bytes = ``kind word ‖ schema id ‖ RFC 9162 root over one leaf for every element of the schema`` (96 bytes). The leaf
data of element n is ``u16 n ‖ element salt ‖ RFC 8785 value``; an element the record does not have is ``null``, so that nobody
sees from a proof which are present. The commitment in the index entry is HMAC-SM3(commitment salt, canonical bytes). All salts
come from one secret record salt, in ways that cannot be turned back: a reader of a cut record gets the commitment salt and the
salts of the released elements, and learns nothing of the others.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from core import crypto, hexes, merkle
from core.canonical import canonical
from core.errors import Malformed, ProofInvalid
from core.words import exact, kind_word, u16

KIND = kind_word("healthtrust/record/v1")
MAX_ELEMENTS = 256
_NUMBERS = tuple(u16(n) for n in range(MAX_ELEMENTS + 1))
_ELEMENTS = tuple(b"element" + n for n in _NUMBERS)
_INNER, _OUTER = (bytes(b ^ pad for b in range(256)) for pad in (0x36, 0x5C))
_COMMITMENT = b"commitment"
_SM3 = hashlib.new("sm3")


def element_salt(record_salt: bytes, n: int) -> bytes:
    """HMAC-SM3(record salt, "element" ‖ u16 n)."""
    return crypto.hmac_sm3(record_salt, _ELEMENTS[n])


def element_salts(record_salt: bytes, count: int) -> list[bytes]:
    """:func:`element_salt` of elements 1…``count``, with the HMAC key set up once: intake derives tens of them a record."""
    return _macs(record_salt, _ELEMENTS[1 : count + 1])


def _macs(key: bytes, messages: Iterable[bytes]) -> list[bytes]:
    """HMAC-SM3 of each message under one key of at most 64 bytes."""
    block = key.ljust(64, b"\0")
    inner, outer = _SM3.copy(), _SM3.copy()
    inner.update(block.translate(_INNER))
    outer.update(block.translate(_OUTER))
    macs: list[bytes] = []
    for message in messages:
        h, o = inner.copy(), outer.copy()
        h.update(message)
        o.update(h.digest())
        macs.append(o.digest())
    return macs


def commitment_salt(record_salt: bytes) -> bytes:
    """HMAC-SM3(record salt, "commitment"): travels with every release, unlike the record salt."""
    return crypto.hmac_sm3(record_salt, _COMMITMENT)


def element_leaf(n: int, salt: bytes, value: Any) -> bytes:
    """Leaf hash of element ``n`` with its own salt."""
    return merkle.leaf_hash(_NUMBERS[n] + salt + canonical(value))


def commit_opaque(salt: bytes, data: bytes) -> bytes:
    """commitment(salt, bytes) = HMAC-SM3(salt, bytes) for anything that is not a record (docs/formats.md §2)."""
    return crypto.hmac_sm3(exact(salt, "salt"), data)


@dataclass(frozen=True)
class Disclosure:
    """The released elements of a record, and what is needed to check them.

    ``values`` and ``salts`` by element number; ``hashes``: leaf hashes of all withheld elements by number; ``commitment_salt``
    opens the commitment of the index entry.
    """

    schema: bytes
    element_count: int
    commitment_salt: bytes
    values: dict[int, Any]
    salts: dict[int, bytes]
    hashes: dict[int, bytes]

    def to_json(self) -> dict[str, Any]:
        """JSON form, element numbers as decimal text (as in the proof bundle)."""
        return {
            "schema": hexes.to_hex(self.schema),
            "elementCount": self.element_count,
            "commitmentSalt": hexes.to_hex(self.commitment_salt),
            "values": {str(n): v for n, v in sorted(self.values.items())},
            "salts": {str(n): hexes.to_hex(s) for n, s in sorted(self.salts.items())},
            "hashes": {str(n): hexes.to_hex(h) for n, h in sorted(self.hashes.items())},
        }

    @classmethod
    def from_json(cls, doc: Mapping[str, Any]) -> Disclosure:
        """Parse :meth:`to_json`. Raises Malformed."""
        try:
            return cls(
                hexes.to_bytes(doc["schema"]),
                int(doc["elementCount"]),
                hexes.to_bytes(doc["commitmentSalt"]),
                {int(n): v for n, v in doc["values"].items()},
                {int(n): hexes.to_bytes(s) for n, s in doc["salts"].items()},
                {int(n): hexes.to_bytes(h) for n, h in doc["hashes"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            raise Malformed("disclosure_malformed", detail="not a disclosure of a record") from e


@dataclass(frozen=True)
class RecordTree:
    """A record as committed. ``values``: JSON by element number 1…``element_count``; missing ones are null. ``record_salt``:
    32 random bytes."""

    schema_id: bytes
    element_count: int
    values: Mapping[int, Any]
    record_salt: bytes = field(repr=False)

    def __post_init__(self) -> None:
        exact(self.schema_id, "schema id")
        exact(self.record_salt, "record salt")
        if not 1 <= self.element_count <= MAX_ELEMENTS:
            raise Malformed("record_malformed", detail=f"a schema has 1 to {MAX_ELEMENTS} elements")
        if any(not 1 <= n <= self.element_count for n in self.values):
            raise Malformed("record_malformed", detail="an element number outside the schema")

    @cached_property
    def _derived(self) -> list[bytes]:
        """The salts of elements 1…count, then the commitment salt."""
        return _macs(self.record_salt, (*_ELEMENTS[1 : self.element_count + 1], _COMMITMENT))

    @cached_property
    def leaves(self) -> list[bytes]:
        """Leaf hashes of elements 1…count."""
        return [element_leaf(n, salt, self.values.get(n)) for n, salt in enumerate(self._derived[:-1], 1)]

    @cached_property
    def canonical(self) -> bytes:
        """The 96 canonical bytes."""
        return canonical_bytes(self.schema_id, merkle.root(self.leaves))

    @cached_property
    def commitment(self) -> bytes:
        """What the index entry carries: HMAC-SM3(commitment salt, canonical bytes)."""
        return crypto.hmac_sm3(self._derived[-1], self.canonical)

    def disclose(self, mask: int) -> Disclosure:
        """Release the elements whose bits (n−1) are set in ``mask``; the others only as hashes. The record salt stays behind."""
        shown = [n for n in range(1, self.element_count + 1) if mask >> (n - 1) & 1]
        hidden = [n for n in range(1, self.element_count + 1) if not mask >> (n - 1) & 1]
        return Disclosure(
            self.schema_id,
            self.element_count,
            self._derived[-1],
            {n: self.values.get(n) for n in shown},
            {n: self._derived[n - 1] for n in shown},
            {n: self.leaves[n - 1] for n in hidden},
        )


def canonical_bytes(schema_id: bytes, root: bytes) -> bytes:
    """``kind ‖ schema ‖ root``."""
    return KIND + schema_id + root


def disclosed_canonical(disclosure: Disclosure) -> bytes:
    """Canonical bytes that the disclosure leads to. ProofInvalid if it does not name every element exactly once."""
    d = disclosure
    numbers = sorted([*d.values, *d.hashes])
    if (
        numbers != list(range(1, d.element_count + 1))
        or d.values.keys() != d.salts.keys()
        or not numbers
        or len(numbers) > MAX_ELEMENTS
    ):
        raise ProofInvalid(detail="a disclosure names each element once, released with its salt or withheld as a hash")
    leaves = [element_leaf(n, d.salts[n], d.values[n]) if n in d.values else d.hashes[n] for n in numbers]
    return canonical_bytes(d.schema, merkle.root(leaves))


def verify_disclosure(disclosure: Disclosure, commitment: bytes) -> bool:
    """Whether the released values are those committed in the index entry. ProofInvalid if the disclosure is not whole."""
    opened = crypto.hmac_sm3(disclosure.commitment_salt, disclosed_canonical(disclosure))
    return hmac.compare_digest(opened, commitment)
