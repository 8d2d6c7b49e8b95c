"""Digests of logs, reports, releases and configurations."""

from __future__ import annotations

from gateway.ledger.port import Event
from mirror.models import NUMBER, WORD, fact, number
from mirror.projections.base import Changes, Handler, Projection

EVIDENCE = fact("evidence", {"organisation": WORD, "number": NUMBER, "kind": WORD, "digest": WORD}, index=["digest"])


def _recorded(changes: Changes, e: Event, at: int) -> None:
    a = e.args
    changes.add(EVIDENCE, (at, e.height, a["organisation"], number(a["number"]), a["kind"], a["digest"]))


PROJECTION = Projection("Evidence", (EVIDENCE,), {"EvidenceRecorded": Handler(_recorded)})
