"""Consents as they stand: the rows here, the truth from the ledger, read in one round trip."""

from __future__ import annotations

from typing import Any

from core.errors import NotFound
from core.hexes import to_bytes, to_hex
from gateway.consent import repository, service
from gateway.consent.models import Consent
from gateway.consent.schemas import ConsentOut, ConsentPage, Period, SealedArtefact
from gateway.deps import Context
from gateway.ledger.port import Call
from gateway.operation import service as operations
from gateway.operation.schemas import OperationOut

PAGE = 50
_STATUS = {2: "amended", 3: "revoked"}


def own(ctx: Context, cursor: str | None) -> ConsentPage:
    """The resident's own consents with their sealed artefacts, newest first."""
    before = int(cursor.partition("-")[0]) if cursor else None
    rows = repository.of_subject(ctx.db, ctx.caller.word, before, PAGE)
    following = str(rows[-1].position) if len(rows) == PAGE else None
    return ConsentPage(items=_describe(ctx, rows), next=following, nonce=service.next_nonce(ctx))


def received(ctx: Context, subject: str | None) -> ConsentPage:
    """Consents sealed for the caller, newest first, at most 200. Those sealed for a practitioner's organisation show only
    for a named
    patient: staff shall not browse whom their hospital's patients trust."""
    mailboxes = [to_bytes(m) for m in (ctx.caller.sealed_for if subject else ctx.caller.sealed_for[:1])]
    rows = repository.received(ctx.db, mailboxes, to_bytes(subject) if subject else None, 200)
    return ConsentPage(items=_describe(ctx, rows))


def one(ctx: Context, consent: str) -> ConsentOut:
    """One consent, for its subject and those it is sealed for."""
    return _describe(ctx, [_visible(ctx, consent)])[0]


def artefact(ctx: Context, consent: str) -> SealedArtefact:
    """The sealed artefact, for those it is sealed for."""
    return SealedArtefact.model_validate_json(_visible(ctx, consent).sealed)


def _visible(ctx: Context, consent: str) -> Consent:
    word = to_bytes(consent)
    row = ctx.db.get(Consent, word)
    readers = repository.recipients(ctx.db, [word])[word]
    if row is None or not any(to_bytes(m) in readers for m in ctx.caller.sealed_for):
        raise NotFound
    return row


def _describe(ctx: Context, rows: list[Consent]) -> list[ConsentOut]:
    if not rows:
        return []
    head = ctx.ledger.head()
    held = ctx.ledger.read_many([Call("Consent", "consentOf", {"consent": row.consent}) for row in rows], head.hash)
    readers = repository.recipients(ctx.db, [row.consent for row in rows])
    return [_one(ctx, row, state, readers[row.consent], head.time) for row, state in zip(rows, held, strict=True)]


def _one(ctx: Context, row: Consent, held: dict[str, Any], readers: list[bytes], time: int) -> ConsentOut:
    operation = operations.find(ctx.db, row.operation)
    shown = operations.describe(operation) if operation is not None else None
    successor = held["successor"]
    return ConsentOut(
        consent=to_hex(row.consent),
        subject=to_hex(row.subject),
        status=_status(row, held, shown, time),
        period=Period(start=row.not_before, end=row.not_after),
        uses=row.use_limit,
        used=held["uses"],
        successor=to_hex(successor) if any(successor) else None,
        created=row.created,
        operation=shown if row.subject == to_bytes(ctx.caller.id) else None,
        recipients=[to_hex(r) for r in readers],
        artefact=SealedArtefact.model_validate_json(row.sealed),
    )


def _status(row: Consent, held: dict[str, Any], operation: OperationOut | None, time: int) -> str:
    if held["status"] == 0:
        return "refused" if operation is not None and operation.state == "failed" else "waiting"
    if held["status"] != 1:
        return _STATUS[held["status"]]
    if time < row.not_before:
        return "future"
    return "active" if time < row.not_after else "expired"
