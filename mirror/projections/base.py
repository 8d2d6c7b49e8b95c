"""What every projection is made of: the changes of one block, and handlers that turn an event into changes.

``apply`` is a handler of the event; ``unwind`` is the same for all (:mod:`mirror.unwind`), because rows are only ever added and
a version says
in which block it began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from gateway.ledger.port import Block, Event
from mirror.models import Relation, Row

Key = bytes | str
#: Versions in force by relation and key, each by column.
Known = dict[Relation, dict[Key, dict[str, Any]]]


class UnexpectedEvent(ValueError):
    """An event that the contracts cannot have emitted after what came before it: the mirror and the contracts disagree."""


class Changes:
    """What one block does to the mirror: facts and new versions of states. ``before``: the versions in force before it."""

    def __init__(self, block: Block, before: Known) -> None:
        self.block = block
        self.facts: dict[Relation, list[Row]] = {}
        self._before = before
        self._after: Known = {}

    def add(self, relation: Relation, row: Row) -> None:
        """Something happened."""
        try:
            self.facts[relation].append(row)
        except KeyError:
            self.facts[relation] = [row]

    def now(self, relation: Relation, key: Key) -> dict[str, Any] | None:
        """The version in force at this point of the block, None if there is none."""
        found = self._after.get(relation, {}).get(key)
        return found if found is not None else self._before.get(relation, {}).get(key)

    def put(self, relation: Relation, key: Key, values: Mapping[str, Any]) -> None:
        """A first version, or one that owes nothing to the version before."""
        row = {**values, str(relation.key): key, "valid_from": self.block.height}
        try:
            self._after[relation][key] = row
        except KeyError:
            self._after[relation] = {key: row}

    def change(self, relation: Relation, key: Key, **values: Any) -> None:
        """A new version that differs from the one in force in ``values``; UnexpectedEvent if none is in force."""
        before = self.now(relation, key)
        if before is None:
            raise UnexpectedEvent(f"{relation.name} {key!r} changes in block {self.block.height} but never began")
        self.put(relation, key, {**before, **values})

    def rows(self) -> dict[Relation, list[Row]]:
        """All rows of the block in canonical order: facts by position, states by key."""
        out = dict(self.facts)
        for relation, versions in self._after.items():
            row = itemgetter(*relation.columns)
            out[relation] = [row(versions[key]) for key in sorted(versions)]
        return out

    def replaced(self) -> dict[Relation, list[tuple[Key, int]]]:
        """Versions of earlier blocks that end in this one: their key, and where they began."""
        return {r: self._replaced_in(self._before.get(r, {}), versions) for r, versions in self._after.items()}

    @staticmethod
    def _replaced_in(before: dict[Key, dict[str, Any]], after: Iterable[Key]) -> list[tuple[Key, int]]:
        return [(key, before[key]["valid_from"]) for key in after if key in before] if before else []

    def settle(self) -> None:
        """What is in force after this block is what the next finds."""
        for relation, versions in self._after.items():
            self._before.setdefault(relation, {}).update(versions)


Apply = Callable[[Changes, Event, int], None]
Reads = Callable[[Event], Iterable[tuple[Relation, Key]]]


@dataclass(frozen=True)
class Handler:
    """``apply(changes, event, position)``; ``reads`` names the states it looks at or replaces, so that one query a relation
    fetches them."""

    apply: Apply
    reads: Reads | None = None


@dataclass(frozen=True)
class Projection:
    """One family of events: the contract that emits them, the relations they fill, a handler an event."""

    contract: str
    relations: tuple[Relation, ...]
    handlers: Mapping[str, Handler] = field(default_factory=dict)


def reading(relation: Relation, *names: str) -> Reads:
    """``reads`` for handlers whose keys are words among the event's arguments."""
    if len(names) == 1:
        name = names[0]
        return lambda e: ((relation, e.args[name]),)
    return lambda e: [(relation, e.args[n]) for n in names]
