"""All projections, in the order in which the digest takes their relations."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.ledger.port import Event
from mirror.events import BlockEvents
from mirror.models import EVENT, Relation, position
from mirror.projections import access, alliance, consent, evidence, identity, index, registry, schema, workflow
from mirror.projections.base import Changes, Handler, Key, Projection, UnexpectedEvent

PROJECTIONS: tuple[Projection, ...] = (
    alliance.PROJECTION,
    identity.PROJECTION,
    schema.PROJECTION,
    index.PROJECTION,
    consent.PROJECTION,
    access.PROJECTION,
    workflow.PROJECTION,
    evidence.PROJECTION,
    registry.PROJECTION,
)

RELATIONS: tuple[Relation, ...] = (EVENT, *(r for p in PROJECTIONS for r in p.relations))

HANDLERS: dict[tuple[str, str], Handler] = {(p.contract, name): h for p in PROJECTIONS for name, h in p.handlers.items()}


def states_read(events: Iterable[Event]) -> dict[Relation, set[Key]]:
    """Which versions in force have to be known before :func:`project`."""
    wanted: dict[Relation, set[Key]] = {}
    for e in events:
        handler = HANDLERS.get((e.contract, e.name))
        if handler is not None and handler.reads is not None:
            for relation, key in handler.reads(e):
                wanted.setdefault(relation, set()).add(key)
    return wanted


def project(changes: Changes, read: BlockEvents) -> None:
    """Turn a block's events, in order, into changes. Events no projection knows (of newer contracts) are kept as events alone.

    Raises UnexpectedEvent when a known event lacks an argument or changes something that never began.
    """
    changes.facts[EVENT] = read.rows
    for e in read.events:
        handler = HANDLERS.get((e.contract, e.name))
        if handler is not None:
            try:
                handler.apply(changes, e, position(e.height, e.index))
            except KeyError as missing:
                raise UnexpectedEvent(f"{e.contract}.{e.name} in block {e.height} has no argument {missing}") from missing
