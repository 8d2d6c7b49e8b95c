"""What the gateway knows of an identifier beside the ledger: index entries, receipts, access requests.

In root mode a record occurs on no chain and receipts occur as batches; together with the mirror's trace this gives the whole
life. Looking is itself kept as evidence: an auditor is seen by the next one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import ColumnElement, false, or_, select

from core.entry import TOMBSTONE, IndexEntry
from core.hexes import to_bytes, to_hex
from core.vocabulary import category_code
from gateway.access.models import AccessRequest
from gateway.audit.schemas import LifeEntry, LifeOut, LifeReceipt, LifeRequest
from gateway.consent.models import Consent
from gateway.deps import Context
from gateway.evidence import service as evidence
from gateway.index.models import IndexBatch, IndexRow
from gateway.receipt import service as receipts
from gateway.receipt.models import ReceiptCopy

MOST = 500


def life(ctx: Context, identifier: str) -> LifeOut:
    """Everything that names the identifier, newest first."""
    wanted = to_bytes(identifier)
    entries, requests = _entries(ctx, wanted), _requests(ctx, _named(ctx, wanted))
    read = _receipts(ctx, wanted, {row.subject for row, _ in entries}, {r.consent for r in requests if r.id == wanted})
    if entries:
        requests = _requests(ctx, _behind(read))
    if entries or read or requests:
        evidence.keep(ctx, "audit", {"identifier": identifier})
    return LifeOut(
        identifier=identifier,
        entries=[_entry(row, batch) for row, batch in entries[:MOST]],
        receipts=[LifeReceipt(**facts, hash=to_hex(row.hash)) for row, facts in receipts.told(ctx, read[:MOST])],
        requests=[_request(row) for row in requests[:MOST]],
        truncated=max(len(entries), len(read), len(requests)) > MOST,
    )


def _entries(ctx: Context, record: bytes) -> list[tuple[IndexRow, IndexBatch]]:
    """All versions of a record. A person's records are not listed: whoever audits starts from what was read."""
    same = (IndexBatch.organisation == IndexRow.organisation) & (IndexBatch.batch == IndexRow.batch)
    query = select(IndexRow, IndexBatch).join(IndexBatch, same).where(IndexRow.record == record)
    return [(row, batch) for row, batch in ctx.db.execute(query.order_by(IndexRow.version.desc()).limit(MOST + 1))]


Condition = ColumnElement[bool]


def _requests(ctx: Context, any_of: list[Condition]) -> list[AccessRequest]:
    query = select(AccessRequest).where(or_(false(), *any_of))
    return list(ctx.db.scalars(query.order_by(AccessRequest.position.desc()).limit(MOST + 1)))


def _behind(read: Sequence[ReceiptCopy]) -> list[Condition]:
    """The requests that were answered by the consents which these receipts name."""
    pairs = {(row.subject, json.loads(row.receipt)["consent"]) for row in read}
    return [(AccessRequest.subject == subject) & (AccessRequest.consent == to_bytes(c)) for subject, c in pairs if c]


def _named(ctx: Context, wanted: bytes) -> list[Condition]:
    named = [AccessRequest.id == wanted, AccessRequest.subject == wanted, AccessRequest.requester == wanted]
    holder = ctx.db.get(Consent, wanted)
    if holder is not None:
        named.append((AccessRequest.subject == holder.subject) & (AccessRequest.consent == wanted))
    return named


def _receipts(ctx: Context, wanted: bytes, owners: set[bytes], consents: set[bytes | None]) -> list[ReceiptCopy]:
    """Receipts of a person, reader or store; those of a record or consent are found through the person it belongs to."""
    named = [ReceiptCopy.subject == wanted, ReceiptCopy.requester == wanted, ReceiptCopy.store == wanted]
    named += [(ReceiptCopy.subject == owner) & _says(wanted) for owner in owners]
    for consent in {wanted, *consents} - {None}:
        holder = ctx.db.get(Consent, consent)
        if holder is not None:
            named.append((ReceiptCopy.subject == holder.subject) & _says(holder.consent))
    return receipts.newest(ctx, select(ReceiptCopy).where(or_(*named)), MOST + 1)


def _says(word: bytes) -> Condition:
    return ReceiptCopy.receipt.contains(f'"{to_hex(word)}"', autoescape=True)


def _entry(row: IndexRow, batch: IndexBatch) -> LifeEntry:
    leaf = IndexEntry.unpack(row.leaf)
    return LifeEntry(
        record=to_hex(leaf.record),
        custodian=to_hex(leaf.organisation),
        subject=to_hex(leaf.subject),
        schema=to_hex(leaf.schema),
        category=category_code(leaf.category),
        version=leaf.version,
        sequence=leaf.sequence,
        recordedAt=leaf.recorded_at,
        indexedAt=leaf.indexed_at,
        deleted=bool(row.flags & TOMBSTONE),
        batch=row.batch,
        root=to_hex(batch.root),
        transaction=batch.transaction,
        anchoredAt=batch.anchored_at,
    )


def _request(row: AccessRequest) -> LifeRequest:
    return LifeRequest(
        id=to_hex(row.id),
        subject=to_hex(row.subject) if row.subject else None,
        requester=to_hex(row.requester),
        organisation=to_hex(row.organisation),
        status=row.status,
        created=row.created,
        expires=row.expires,
        consent=to_hex(row.consent) if row.consent else None,
    )
