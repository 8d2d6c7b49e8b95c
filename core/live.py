"""Which consents of a person a ledger held at a block, with proof that it held no other (docs/formats.md §15).

The leaves are those of :mod:`core.authorisations`, sorted by person and then by consent. A person's leaves therefore stand side
by side, and the leaf before them and the leaf after them, which belong to others, show that none is left out. For a person
without a consent the two neighbours stand side by side: proof of absence.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from core import hexes, merkle
from core.authorisations import LiveConsent
from core.errors import Malformed

_WORDS = ("consent", "subject", "commitment")
_NUMBERS = ("not_before", "not_after", "use_limit", "uses")


@dataclass(frozen=True, slots=True)
class ProvedLeaf:
    """A consent at ``index`` of the tree, and the path from its leaf to the root."""

    consent: LiveConsent
    index: int
    path: tuple[bytes, ...]

    def json(self) -> dict[str, Any]:
        """For APIs: words as ``0x…``."""
        words = {name: hexes.to_hex(getattr(self.consent, name)) for name in _WORDS}
        numbers = {name: getattr(self.consent, name) for name in _NUMBERS}
        return {**words, **numbers, "index": self.index, "path": [hexes.to_hex(p) for p in self.path]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ProvedLeaf:
        """The inverse of :meth:`json`. Malformed for anything else."""
        try:
            values: dict[str, Any] = {name: hexes.to_bytes(document[name], 32, name) for name in _WORDS}
            values |= {name: int(document[name]) for name in _NUMBERS}
            path = tuple(hexes.to_bytes(p, 32, "path") for p in document["path"])
            return cls(LiveConsent(**values), int(document["index"]), path)
        except (KeyError, TypeError, ValueError) as e:
            raise Malformed("live_malformed", detail="not a leaf of live consents") from e

    def _proved(self, size: int, root: bytes) -> bool:
        return merkle.verify_inclusion(merkle.leaf_hash(self.consent.leaf()), self.index, size, self.path, root)


@dataclass(frozen=True, slots=True)
class Section:
    """All consents of one person in a tree of ``size``, between its neighbours (None: there is nothing on that side)."""

    subject: bytes
    size: int
    leaves: tuple[ProvedLeaf, ...]
    before: ProvedLeaf | None
    after: ProvedLeaf | None

    def json(self) -> dict[str, Any]:
        """For APIs."""
        return {
            "subject": hexes.to_hex(self.subject),
            "size": self.size,
            "leaves": [leaf.json() for leaf in self.leaves],
            "before": self.before and self.before.json(),
            "after": self.after and self.after.json(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Section:
        """The inverse of :meth:`json`. Malformed for anything else."""
        try:
            sides = [document[side] and ProvedLeaf.from_json(document[side]) for side in ("before", "after")]
            leaves = tuple(ProvedLeaf.from_json(leaf) for leaf in document["leaves"])
            return cls(hexes.to_bytes(document["subject"], 32, "subject"), int(document["size"]), leaves, *sides)
        except (KeyError, TypeError, ValueError) as e:
            raise Malformed("live_malformed", detail="not a section of live consents") from e

    def check(self, root: bytes, size: int) -> None:
        """Malformed unless the person's consents in the tree with this root and size are exactly these.

        Root and size come from a checkpoint, not from who shows the section: a root alone does not fix where a tree ends.
        """
        self._require(self.size == size, "the tree has another size")
        run = [leaf for leaf in (self.before, *self.leaves, self.after) if leaf is not None]
        if not self.size:
            self._require(not run and root == merkle.EMPTY, "the tree is not empty")
            return
        self._require(all(leaf.consent.subject == self.subject for leaf in self.leaves), "a leaf is somebody else's")
        self._require(all(a.index + 1 == b.index for a, b in pairwise(run)), "the leaves do not stand side by side")
        self._require(all(_key(a.consent) < _key(b.consent) for a, b in pairwise(run)), "the leaves are not sorted")
        self._require(bool(run), "nothing is shown")
        self._require(self.before is not None or run[0].index == 0, "what stands before is missing")
        self._require(self.after is not None or run[-1].index == self.size - 1, "what stands after is missing")
        sides = [side for side in (self.before, self.after) if side is not None]
        self._require(all(side.consent.subject != self.subject for side in sides), "a neighbour is the person's own")
        self._require(all(leaf._proved(self.size, root) for leaf in run), "a leaf does not lead to the root")

    @staticmethod
    def _require(holds: bool, otherwise: str) -> None:
        if not holds:
            raise Malformed("live_unproved", detail=otherwise)


class LiveTree:
    """The tree of a block, with all levels kept, so that each section costs only its paths."""

    def __init__(self, consents: Iterable[LiveConsent]) -> None:
        self.consents = sorted(consents, key=_key)
        self._tree = merkle.Tree(merkle.leaf_hashes(c.leaf() for c in self.consents))

    def __len__(self) -> int:
        return len(self.consents)

    @property
    def root(self) -> bytes:
        """Root over the leaves, sorted by person and consent."""
        return self._tree.root

    def of(self, subject: bytes) -> Section:
        """The person's consents with their neighbours."""
        first = bisect_left(self.consents, (subject, b""), key=_key)
        end = bisect_left(self.consents, (subject + b"\0", b""), lo=first, key=_key)
        leaves = tuple(self._leaf(i) for i in range(first, end))
        before = self._leaf(first - 1) if first else None
        after = self._leaf(end) if end < len(self) else None
        return Section(subject, len(self), leaves, before, after)

    def _leaf(self, index: int) -> ProvedLeaf:
        return ProvedLeaf(self.consents[index], index, tuple(self._tree.inclusion_proof(index)))


def _key(consent: LiveConsent) -> tuple[bytes, bytes]:
    return consent.subject, consent.consent
