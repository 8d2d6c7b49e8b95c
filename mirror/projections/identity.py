"""Residents' current keys, recoveries under way, and practitioners' credentials."""

from __future__ import annotations

from gateway.ledger.port import Event
from mirror.models import NUMBER, WORD, Relation, number, state
from mirror.projections.base import Changes, Handler, Key, Projection, reading

PENDING, VETOED, DONE, OVERTAKEN = 1, 2, 3, 4
ACTIVE, REVOKED = 1, 2

SUBJECT_KEY = state("subject_key", "subject", WORD, {"x": WORD, "y": WORD, "registrar": WORD, "version": NUMBER})
#: ``status``: 1 pending, 2 vetoed, 3 done, 4 ended by a rotation of the key.
RECOVERY = state(
    "recovery", "subject", WORD, {"x": WORD, "y": WORD, "registrar": WORD, "executable_at": NUMBER, "status": NUMBER}
)
CREDENTIAL = state(
    "credential",
    "practitioner",
    WORD,
    {"organisation": WORD, "x": WORD, "y": WORD, "roles": NUMBER, "not_before": NUMBER, "not_after": NUMBER, "status": NUMBER},
    index=["organisation"],
)


def _bound(changes: Changes, e: Event, _: int) -> None:
    a = e.args
    changes.put(SUBJECT_KEY, a["subject"], {"x": a["x"], "y": a["y"], "registrar": a["registrar"], "version": a["version"]})


def _new_key(ends: int) -> Handler:
    def apply(changes: Changes, e: Event, _: int) -> None:
        subject = e.args["subject"]
        changes.change(SUBJECT_KEY, subject, x=e.args["x"], y=e.args["y"], version=e.args["version"])
        pending = changes.now(RECOVERY, subject)
        if pending and pending["status"] == PENDING:
            changes.change(RECOVERY, subject, status=ends)

    return Handler(apply, _subject)


def _requested(changes: Changes, e: Event, _: int) -> None:
    a = e.args
    values = {
        "x": a["x"],
        "y": a["y"],
        "registrar": a["registrar"],
        "executable_at": number(a["executableAt"]),
        "status": PENDING,
    }
    changes.put(RECOVERY, a["subject"], values)


def _vetoed(changes: Changes, e: Event, _: int) -> None:
    changes.change(RECOVERY, e.args["subject"], status=VETOED)


def _issued(changes: Changes, e: Event, _: int) -> None:
    a = e.args
    period = {"not_before": number(a["notBefore"]), "not_after": number(a["notAfter"])}
    values = {"organisation": a["organisation"], "x": a["x"], "y": a["y"], "roles": a["roles"], **period, "status": ACTIVE}
    changes.put(CREDENTIAL, a["practitioner"], values)


def _revoked(changes: Changes, e: Event, _: int) -> None:
    changes.change(CREDENTIAL, e.args["practitioner"], status=REVOKED)


def _subject(e: Event) -> list[tuple[Relation, Key]]:
    return [(SUBJECT_KEY, e.args["subject"]), (RECOVERY, e.args["subject"])]


PROJECTION = Projection(
    "Identity",
    (SUBJECT_KEY, RECOVERY, CREDENTIAL),
    {
        "KeyBound": Handler(_bound, _subject),
        "KeyRotated": _new_key(OVERTAKEN),
        "KeyRecovered": _new_key(DONE),
        "RecoveryRequested": Handler(_requested, _subject),
        "RecoveryVetoed": Handler(_vetoed, _subject),
        "CredentialIssued": Handler(_issued, reading(CREDENTIAL, "practitioner")),
        "CredentialRevoked": Handler(_revoked, reading(CREDENTIAL, "practitioner")),
    },
)
