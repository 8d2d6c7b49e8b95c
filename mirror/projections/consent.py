"""Consents as the ledger knows them: sealed, so that only period, limit and state can be read."""

from __future__ import annotations

from typing import Any

from gateway.ledger.port import Event
from mirror.models import NUMBER, WORD, ZERO, fact, number, state
from mirror.projections.base import Changes, Handler, Projection, reading

ACTIVE, AMENDED, REVOKED = 1, 2, 3
U64 = 2**64 - 1
U32 = 2**32 - 1

#: ``status`` as in docs/formats.md section 6; the message hash is that of the message that made this version.
CONSENT = state(
    "consent",
    "consent",
    WORD,
    {
        "subject": WORD,
        "commitment": WORD,
        "not_before": NUMBER,
        "not_after": NUMBER,
        "use_limit": NUMBER,
        "nonce": NUMBER,
        "status": NUMBER,
        "predecessor": WORD,
        "successor": WORD,
        "message_hash": WORD,
    },
    index=["subject"],
)
SPEND = fact("spend", {"consent": WORD, "uses": NUMBER, "organisation": WORD}, index=["consent"])


def _first(a: dict[str, Any], predecessor: bytes) -> dict[str, Any]:
    packed = a["packed"]
    return {
        "subject": a["subject"],
        "commitment": a["commitment"],
        "not_before": number(packed >> 192),
        "not_after": number(packed >> 128 & U64),
        "use_limit": packed >> 96 & U32,
        "nonce": number(packed & U64),
        "status": ACTIVE,
        "predecessor": predecessor,
        "successor": ZERO,
        "message_hash": a["messageHash"],
    }


def _granted(changes: Changes, e: Event, _: int) -> None:
    changes.put(CONSENT, e.args["consent"], _first(e.args, ZERO))


def _amended(changes: Changes, e: Event, _: int) -> None:
    old, new = e.args["old"], e.args["consent"]
    changes.change(CONSENT, old, status=AMENDED, successor=new)
    changes.put(CONSENT, new, _first(e.args, old))


def _revoked(changes: Changes, e: Event, _: int) -> None:
    changes.change(CONSENT, e.args["consent"], status=REVOKED, message_hash=e.args["messageHash"])


def _spent(changes: Changes, e: Event, at: int) -> None:
    a = e.args
    changes.add(SPEND, (at, e.height, a["consent"], a["uses"], a["by"]))


PROJECTION = Projection(
    "Consent",
    (CONSENT, SPEND),
    {
        "ConsentGranted": Handler(_granted, reading(CONSENT, "consent")),
        "ConsentAmended": Handler(_amended, reading(CONSENT, "old", "consent")),
        "ConsentRevoked": Handler(_revoked, reading(CONSENT, "consent")),
        "ConsentSpent": Handler(_spent),
    },
)
