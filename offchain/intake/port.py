"""What a source is: it reads rows and maps them to the standard model. Everything behind it is the same for all sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from offchain.quality import Rule

Identity: TypeAlias = tuple[str, str]
"""(system, value) of one identifier of a person."""


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One row as read. ``type``: the source's own name of it; ``id``: unique within the type.

    ``named`` is false where the source gives its rows no id and one is made from the columns that do not change. ``raw``: bytes
    as received, which tell tomorrow whether the row changed. ``line`` counts from 1.
    """

    type: str
    id: str
    raw: bytes
    data: Mapping[str, Any]
    file: str
    line: int
    named: bool = True


@dataclass(frozen=True, slots=True)
class SourceFault:
    """Lines that could not be read as a record. ``raw`` is None where they were too long to keep; ``lines``: how many."""

    file: str
    line: int
    rule: Rule
    detail: str
    raw: bytes | None = None
    lines: int = 1


@dataclass(frozen=True, slots=True)
class Link:
    """A reference to another row of the same source; becomes that row's record id, whether or not it has arrived yet."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Person:
    """Who a row is about, for the EMPI. ``identities``: strongest first; ``number``: the one people type to enrol."""

    identities: tuple[Identity, ...]
    name: str
    birth_date: str
    number: str | None = None


@dataclass(slots=True)
class Draft:
    """A row in terms of the standard model. ``values`` by element short name; ``patient``: an identity of the person it is about.

    ``codes``: (system, code) pairs that may move it to a more private category. ``retracted``: the source says it was an error.
    """

    type: str
    patient: Identity | None
    values: dict[str, Any]
    recorded: str | None = None
    person: Person | None = None
    codes: tuple[Identity, ...] = ()
    retracted: bool = False
    findings: list[tuple[Rule, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A row we have no use for, counted under ``reason``."""

    reason: str


class Source(Protocol):
    """One source system.

    ``name`` identifies it for good: it is part of every record id. ``full``: everything the source has is here, so that what is
    missing was deleted.
    """

    name: str
    full: bool

    def read(self) -> Iterator[SourceRecord | SourceFault]:
        """All rows, patients first, with bounded memory. Never raises for bad content: that is a SourceFault."""

    def map(self, record: SourceRecord) -> Draft | Ignored:
        """A row in terms of the standard model."""
