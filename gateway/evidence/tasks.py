"""Anchoring evidence in batches."""

from __future__ import annotations

import time

from sqlalchemy import select

from core import crypto, merkle
from core.canonical import canonical
from core.words import kind_word
from gateway import database
from gateway.deps import Gateway
from gateway.evidence.models import Evidence, EvidenceBatch
from gateway.ledger import outbox
from gateway.ledger.port import Call

BATCH = 5000
KIND = kind_word("healthtrust/evidence/v1")


def leaf(row: Evidence) -> bytes:
    """Leaf data of a row."""
    return crypto.hmac_sm3(row.salt, canonical({"kind": row.kind, "by": row.by, "content": row.content}))


def anchor(gateway: Gateway) -> int:
    """Put the rows that wait under one root into the outbox; returns how many. Two workers at once anchor each row once."""
    with database.writer(gateway.engine) as db:
        query = select(Evidence).where(Evidence.batch.is_(None)).order_by(Evidence.id).limit(BATCH)
        rows = list(db.scalars(query.with_for_update(skip_locked=True)))
        if not rows:
            return 0
        root = merkle.root(merkle.leaf_hashes(leaf(row) for row in rows))
        call = Call("Evidence", "record", {"kind": KIND, "digest": root})
        operation = outbox.enqueue(db, f"evidence:{rows[0].id}", "evidence.record", call, caller="gateway")
        batch = EvidenceBatch(root=root, operation=operation.id, created=int(time.time()))
        db.add(batch)
        db.flush()
        for row in rows:
            row.batch = batch.id
        db.commit()
    return len(rows)
