"""Rows of consents and acts."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway.consent.models import Consent, ConsentAct, ConsentRecipient
from gateway.ledger import outbox


def next_waiting_nonce(db: Session, subject: bytes) -> int:
    """One more than the highest nonce of this subject's acts on their way to the ledger; 0 when there are none."""
    query = select(func.max(ConsentAct.nonce)).join(outbox.Operation, outbox.Operation.id == ConsentAct.operation)
    waiting = outbox.Operation.state.in_((outbox.INITIALISED, outbox.PENDING))
    highest = db.scalar(query.where(ConsentAct.subject == subject, waiting))
    return 0 if highest is None else highest + 1


def of_subject(db: Session, subject: bytes, before: int | None, limit: int) -> list[Consent]:
    """A subject's consents, newest first."""
    query = select(Consent).where(Consent.subject == subject).order_by(Consent.position.desc()).limit(limit)
    return list(db.scalars(query if before is None else query.where(Consent.position < before)))


def received(db: Session, recipients: Iterable[bytes], subject: bytes | None, limit: int) -> list[Consent]:
    """Consents sealed for one of these ids, newest first."""
    ids = select(ConsentRecipient.consent).where(ConsentRecipient.recipient.in_(list(recipients)))
    query = select(Consent).where(Consent.consent.in_(ids)).order_by(Consent.position.desc()).limit(limit)
    return list(db.scalars(query if subject is None else query.where(Consent.subject == subject)))


def recipients(db: Session, consents: list[bytes]) -> dict[bytes, list[bytes]]:
    """Who each of these is sealed for."""
    found: dict[bytes, list[bytes]] = {c: [] for c in consents}
    query = select(ConsentRecipient).where(ConsentRecipient.consent.in_(consents)).order_by(ConsentRecipient.recipient)
    for row in db.scalars(query):
        found[row.consent].append(row.recipient)
    return found


def unsettled_acts(db: Session, limit: int) -> list[tuple[ConsentAct, outbox.Operation]]:
    """Acts whose outcome is final and of which nobody was told yet."""
    query = select(ConsentAct, outbox.Operation).join(outbox.Operation, outbox.Operation.id == ConsentAct.operation)
    query = query.where(ConsentAct.told.is_(False), outbox.Operation.state.in_((outbox.SUCCEEDED, outbox.FAILED)))
    return [(act, operation) for act, operation in db.execute(query.order_by(outbox.Operation.seq).limit(limit))]
