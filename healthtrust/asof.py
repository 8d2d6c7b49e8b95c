"""``POST /audit/as-of``: who could read a record at a moment, by which consent, and who did; with a proof on each line.

What the mirror holds of consents is put beside the receipts the gates handed in, which neither knows of the other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from core import merkle
from core.artefact import ConsentArtefact
from core.entry import IndexEntry
from core.errors import Malformed
from core.hexes import to_bytes, to_hex
from core.receipt import salted_leaf
from gateway.deps import Context, Ctx
from gateway.evidence import service as evidence
from gateway.http import guard, router
from gateway.identity.caller import ROLE_AUDITOR
from gateway.index.models import IndexBatch, IndexRow
from gateway.receipt.models import ReceiptCopy
from gateway.types import Model, Word
from mirror.agreement import said_of
from mirror.asof import as_of
from mirror.live import Held, Live
from mirror.models import BLOCK, EVENT
from mirror.projections.access import RECEIPT_BATCH
from mirror.query import shown
from mirror.router import answering

MOST_READINGS = 500
MOST_ARTEFACTS = 50


class AsOfIn(Model):
    """``identifier``: a record or a person. ``height`` or ``time`` (UTC seconds), neither: now.

    ``artefacts``: of consents, opened, as far as the caller holds them; they are checked and not kept."""

    identifier: Word
    height: Annotated[int, Field(ge=0, le=2**53)] | None = None
    time: Annotated[int, Field(ge=0, le=2**53)] | None = None
    artefacts: Annotated[list[dict[str, Any]], Field(default_factory=list, max_length=MOST_ARTEFACTS)]


def routes(live: Live) -> APIRouter:
    """The route over this mirror."""
    made = router("audit", "/audit")

    @made.post("/as-of", **guard(ROLE_AUDITOR))
    def who_could(ctx: Ctx, body: AsOfIn) -> dict[str, Any]:
        """Who could read then, proved complete, and who did. A write, because that somebody looked is kept."""
        with answering():
            return answer(ctx, live, body)

    return made


def answer(ctx: Context, live: Live, body: AsOfIn) -> dict[str, Any]:
    """Consents of the person with their proof, what the organisations say of that block, readings with theirs. Malformed for a
    moment the mirror does not hold, or an artefact of another consent."""
    artefacts = [ConsentArtefact.from_json(document) for document in body.artefacts]
    wanted = to_bytes(body.identifier)
    entry = _entry(ctx, wanted, body.time)
    subject = entry.subject if entry else wanted
    found = as_of(live, subject, body.height, body.time, entry, artefacts)
    evidence.keep(ctx, "audit", {"identifier": body.identifier, "asOf": found.time})
    rows, more = _readings(ctx, subject, entry, found.time)
    return {
        "identifier": body.identifier,
        "record": None if entry is None else _described(entry),
        **found.json(),
        "attested": said_of(live, found.block),
        "readings": _proved(ctx, live, rows),
        "truncated": more,
        "stores": _stores(ctx, live, found.block, {row.store for row in rows}),
    }


def _entry(ctx: Context, record: bytes, time: int | None) -> IndexEntry | None:
    """The newest version of the record that was anchored by then; None if this is no record."""
    same = (IndexBatch.organisation == IndexRow.organisation) & (IndexBatch.batch == IndexRow.batch)
    query = select(IndexRow.leaf, IndexBatch.anchored_at).join(IndexBatch, same).where(IndexRow.record == record)
    versions = ctx.db.execute(query.order_by(IndexRow.version.desc())).all()
    then = [leaf for leaf, anchored in versions if time is None or anchored <= time]
    if versions and not then:
        raise Malformed(
            "record_later",
            "这份档案当时还没有登记。请换一个更晚的时刻。",
            "This record was not in the index yet. Ask of a later moment.",
        )
    return IndexEntry.unpack(then[0]) if then else None


def _described(entry: IndexEntry) -> dict[str, Any]:
    ids = {name: to_hex(getattr(entry, name)) for name in ("record", "organisation", "subject", "schema", "commitment")}
    return {**ids, "category": entry.category, "version": entry.version, "sequence": entry.sequence, "deleted": entry.tombstone}


def _readings(ctx: Context, subject: bytes, entry: IndexEntry | None, until: int) -> tuple[list[ReceiptCopy], bool]:
    """Receipts of the person's records (of one record), newest first, until then; whether there are more."""
    query = select(ReceiptCopy).where(ReceiptCopy.subject == subject, ReceiptCopy.time <= until)
    if entry is not None:
        query = query.where(ReceiptCopy.receipt.contains(f'"{to_hex(entry.record)}"', autoescape=True))
    rows = list(ctx.db.scalars(query.order_by(ReceiptCopy.time.desc(), ReceiptCopy.id.desc()).limit(MOST_READINGS + 1)))
    return rows[:MOST_READINGS], len(rows) > MOST_READINGS


def _proved(ctx: Context, live: Live, rows: Sequence[ReceiptCopy]) -> list[dict[str, Any]]:
    batches: dict[tuple[bytes, int], tuple[Any, merkle.Tree]] = {}
    out = []
    for row in rows:
        batch = _batch(live, row)
        proof = None
        if batch is not None:
            key = (row.store, batch.batch)
            if key not in batches:
                batches[key] = (batch, _tree(ctx, row.store, batch))
            proof = _proof(row, *batches[key])
        document = json.loads(row.receipt)
        facts = ("time", "requester", "organisation", "record", "purpose", "consent", "outcome", "reason", "height")
        said = {name: document[name] for name in facts}
        out.append({**said, "store": to_hex(row.store), "number": row.number, "receipt": row.receipt, "proof": proof})
    return out


def _batch(live: Live, row: ReceiptCopy) -> Any:
    """The batch on the ledger that this receipt's number falls into, None if it is not there yet."""
    c = RECEIPT_BATCH.table.c
    query = sa.select(RECEIPT_BATCH.table, BLOCK.c.hash, EVENT.table.c.transaction_id).join(BLOCK, BLOCK.c.height == c.height)
    query = query.join(EVENT.table, EVENT.table.c.position == c.position)
    query = query.where(c.organisation == row.store, c.first_number <= row.number, c.first_number + c.count > row.number)
    with live.database.read() as connection:
        return connection.execute(query.limit(1)).one_or_none()


def _tree(ctx: Context, store: bytes, batch: Any) -> merkle.Tree:
    """Over the copies of the batch's receipts; one that is missing gives another root, which the proof then does not reach."""
    numbers = ReceiptCopy.number.between(batch.first_number, batch.first_number + batch.count - 1)
    query = select(ReceiptCopy.salt, ReceiptCopy.receipt).where(ReceiptCopy.store == store, numbers)
    copies = ctx.db.execute(query.order_by(ReceiptCopy.number))
    return merkle.Tree(merkle.leaf_hashes(salted_leaf(salt, text.encode()) for salt, text in copies))


def _proof(row: ReceiptCopy, batch: Any, tree: merkle.Tree) -> dict[str, Any] | None:
    """None where the copies handed in do not give the root on the ledger: then something is missing or was changed."""
    if tree.root != bytes(batch.root):
        return None
    index = row.number - batch.first_number
    return {
        "salt": to_hex(row.salt),
        "batch": batch.batch,
        "root": shown(batch.root),
        "leafIndex": index,
        "treeSize": len(tree),
        "hashes": [to_hex(h) for h in tree.inclusion_proof(index)],
        "height": batch.height,
        "block": shown(batch.hash),
        "transaction": shown(batch.transaction_id),
    }


def _stores(ctx: Context, live: Live, block: Held, stores: set[bytes]) -> list[dict[str, Any]]:
    """Of each store: how many receipts it had put on the ledger by then, and how many of those numbers were handed in here."""
    c = RECEIPT_BATCH.table.c
    out = []
    for store in sorted(stores):
        reached = sa.select(sa.func.max(c.first_number + c.count)).where(c.organisation == store, c.height <= block.height)
        with live.database.read() as connection:
            anchored = connection.scalar(reached) or 0
        mine = select(sa.func.count()).where(ReceiptCopy.store == store, ReceiptCopy.number < anchored)
        known = ctx.db.scalar(mine) or 0
        out.append({"store": to_hex(store), "anchored": anchored, "known": known, "complete": known == anchored})
    return out
