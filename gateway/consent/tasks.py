"""Telling people what became of consents, and which end soon."""

from __future__ import annotations

import time

from sqlalchemy import select

from core.hexes import to_hex
from gateway import database
from gateway.consent import repository
from gateway.consent.models import Consent
from gateway.deps import Gateway
from gateway.ledger import outbox
from gateway.notice.models import Notice

WARN_SECONDS = 7 * 86400
_KINDS = {"grant": "consent-granted", "amend": "consent-amended", "revoke": "consent-revoked"}


def tell_settled(gateway: Gateway) -> int:
    """Tell those a consent is sealed for that the ledger has it, or the subject that it was refused; returns how many acts."""
    with database.writer(gateway.engine) as db:
        acts = repository.unsettled_acts(db, 200)
        readers = repository.recipients(db, [act.consent for act, _ in acts])
        for act, operation in acts:
            succeeded = operation.state == outbox.SUCCEEDED
            told = readers[act.consent] if succeeded else [act.subject]
            data = {"about": to_hex(act.consent), "subject": to_hex(act.subject)}
            kind = _KINDS[act.kind] if succeeded else "consent-refused"
            db.add_all(Notice(recipient=to_hex(who), kind=kind, data=data, created=int(time.time())) for who in told)
            act.told = True
        db.commit()
    return len(acts)


def tell_expiring(gateway: Gateway) -> None:
    """Tell subjects once, a week before, that a consent ends."""
    now = int(time.time())
    with database.writer(gateway.engine) as db:
        query = select(Consent).where(Consent.expiry_told.is_(False), Consent.not_after < now + WARN_SECONDS).limit(500)
        for row in db.scalars(query):
            row.expiry_told = True
            if now < row.not_after and row.not_after - row.created > WARN_SECONDS:
                data = {"about": to_hex(row.consent), "end": row.not_after}
                db.add(Notice(recipient=to_hex(row.subject), kind="consent-expiring", data=data, created=now))
        db.commit()
