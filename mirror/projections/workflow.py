"""Applications and the state each is in."""

from __future__ import annotations

from gateway.ledger.port import Event
from mirror.models import NUMBER, WORD, state
from mirror.projections.base import Changes, Handler, Projection, reading

SUBMITTED = 1

#: ``step``: 1 submitted, 2 approved, 3 rejected, 4 inspected, 5 delivered, 6 withdrawn; ``digest`` and ``moved_by`` are the last
#: move's.
APPLICATION = state(
    "application",
    "application",
    WORD,
    {"applicant": WORD, "kind": WORD, "step": NUMBER, "digest": WORD, "moved_by": WORD},
    index=["applicant"],
)


def _submitted(changes: Changes, e: Event, _: int) -> None:
    a = e.args
    who = {"applicant": a["organisation"], "moved_by": a["organisation"]}
    changes.put(APPLICATION, a["id"], {**who, "kind": a["kind"], "step": SUBMITTED, "digest": a["packageDigest"]})


def _moved(changes: Changes, e: Event, _: int) -> None:
    a = e.args
    changes.change(APPLICATION, a["id"], step=a["to"], digest=a["digest"], moved_by=a["organisation"])


PROJECTION = Projection(
    "Workflow",
    (APPLICATION,),
    {"Submitted": Handler(_submitted, reading(APPLICATION, "id")), "Moved": Handler(_moved, reading(APPLICATION, "id"))},
)
