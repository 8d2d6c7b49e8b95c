"""What an import did, so that every line of the source can be accounted for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class RunReport:
    """Counts of one run.

    ``types``: per source type how many rows were new, changed, unchanged, duplicate, retracted or quarantined. ``ignored``: rows
    without use by "type (reason)". ``rules``: quarantined lines by rule number. ``lines``: everything the source gave.
    ``tombstones``: records that vanished from a full export; ``tombstones_withheld``: why vanished records were left alone.
    """

    run: int
    source: str
    full: bool
    lines: int = 0
    types: dict[str, Counter[str]] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    people: int = 0
    tombstones: int = 0
    tombstones_withheld: str | None = None
    seconds: float = 0.0

    def count(self, kind: str, what: str, lines: int = 1) -> None:
        """One row (or so many lines) of a source type met this fate."""
        self.types.setdefault(kind, Counter())[what] += lines

    def total(self, what: str) -> int:
        """Rows of all types that met this fate."""
        return sum(c[what] for c in self.types.values())

    @property
    def accounted(self) -> bool:
        """Whether every line the source gave is in one of the counts."""
        return self.lines == sum(c.total() for c in self.types.values()) + self.ignored.total()

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON."""
        return {
            "run": self.run,
            "source": self.source,
            "full": self.full,
            "lines": self.lines,
            "types": {k: dict(v) for k, v in sorted(self.types.items())},
            "ignored": dict(self.ignored),
            "rules": dict(self.rules),
            "people": self.people,
            "tombstones": self.tombstones,
            "tombstonesWithheld": self.tombstones_withheld,
            "seconds": round(self.seconds, 3),
        }
