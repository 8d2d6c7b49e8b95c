"""Requests and their answers, batches of receipts, and break-glass."""

from __future__ import annotations

from gateway.ledger.port import Event
from mirror.models import NUMBER, WORD, ZERO, fact, number, state
from mirror.projections.base import Changes, Handler, Projection, reading

#: ``answer``: 0 none yet, 1 granted, 2 refused, 3 expired, 4 withdrawn. Who and what is behind the commitments.
ACCESS_REQUEST = state(
    "access_request",
    "request",
    WORD,
    {
        "organisation": WORD,
        "commitment": WORD,
        "asked_at": NUMBER,
        "answer": NUMBER,
        "answered_by": WORD,
        "answer_commitment": WORD,
        "answered_at": NUMBER,
    },
    index=["organisation"],
)
RECEIPT_BATCH = fact(
    "receipt_batch",
    {"organisation": WORD, "batch": NUMBER, "root": WORD, "first_number": NUMBER, "count": NUMBER, "head_hash": WORD},
    index=["organisation"],
)
#: ``outcome``: 0 not reviewed, 1 justified, 2 not justified.
EMERGENCY = state(
    "emergency",
    "emergency",
    WORD,
    {
        "organisation": WORD,
        "commitment": WORD,
        "first": WORD,
        "second": WORD,
        "opened_at": NUMBER,
        "ends_at": NUMBER,
        "review_by": NUMBER,
        "reviewer": WORD,
        "outcome": NUMBER,
        "late": NUMBER,
    },
)


def _requested(changes: Changes, e: Event, _: int) -> None:
    a = e.args
    asked = {"organisation": a["organisation"], "commitment": a["commitment"], "asked_at": changes.block.time}
    unanswered = {"answer": 0, "answered_by": ZERO, "answer_commitment": ZERO, "answered_at": 0}
    changes.put(ACCESS_REQUEST, a["id"], {**asked, **unanswered})


def _answered(changes: Changes, e: Event, _: int) -> None:
    a = e.args
    changes.change(
        ACCESS_REQUEST,
        a["id"],
        answer=a["answer"],
        answered_by=a["organisation"],
        answer_commitment=a["commitment"],
        answered_at=changes.block.time,
    )


def _receipts(changes: Changes, e: Event, at: int) -> None:
    a = e.args
    numbers = (number(a["batch"]), a["root"], number(a["firstNumber"]), a["count"])
    changes.add(RECEIPT_BATCH, (at, e.height, a["organisation"], *numbers, a["headHash"]))


def _opened(changes: Changes, e: Event, _: int) -> None:
    a = e.args
    persons = {name: a[name] for name in ("organisation", "commitment", "first", "second")}
    times = {"opened_at": changes.block.time, "ends_at": number(a["endsAt"]), "review_by": number(a["reviewBy"])}
    changes.put(EMERGENCY, a["id"], {**persons, **times, "reviewer": ZERO, "outcome": 0, "late": 0})


def _reviewed(changes: Changes, e: Event, _: int) -> None:
    a = e.args
    changes.change(EMERGENCY, a["id"], reviewer=a["reviewer"], outcome=a["outcome"], late=int(a["late"]))


PROJECTION = Projection(
    "Access",
    (ACCESS_REQUEST, RECEIPT_BATCH, EMERGENCY),
    {
        "AccessRequested": Handler(_requested, reading(ACCESS_REQUEST, "id")),
        "AccessAnswered": Handler(_answered, reading(ACCESS_REQUEST, "id")),
        "ReceiptsRecorded": Handler(_receipts),
        "EmergencyOpened": Handler(_opened, reading(EMERGENCY, "id")),
        "EmergencyReviewed": Handler(_reviewed, reading(EMERGENCY, "id")),
    },
)
