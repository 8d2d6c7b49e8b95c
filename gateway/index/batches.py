"""Taking in batches: what a custodian hands in must be, byte for byte, what it anchored."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Any

from sqlalchemy import text

from core import merkle
from core.entry import KIND, SIZE, TOMBSTONE
from core.hexes import to_bytes
from gateway import database
from gateway.deps import Context
from gateway.index.errors import EntriesWrong, NotAnchored, NotYours
from gateway.index.models import IndexBatch, IndexRow
from gateway.index.schemas import BatchIn, BatchOut
from gateway.ledger.reasons import LedgerError, Reason

# kind, organisation, record, subject, (commitment, schema, previous), sequence, version, category, flags, zero,
# recorded, (indexed)
_FIELDS = struct.Struct(">32s32s32s32s96xQIBBHQ8x")
_SUPERSEDE_OLDER = text("UPDATE index_entry SET latest = false WHERE organisation = :o AND record = :r AND version < :v")
_SUPERSEDE_LATE = text(
    "UPDATE index_entry SET latest = false WHERE organisation = :o AND sequence >= :a AND sequence < :b AND EXISTS ("
    "SELECT 1 FROM index_entry AS newer WHERE newer.organisation = index_entry.organisation "
    "AND newer.record = index_entry.record AND newer.version > index_entry.version)"
)


def take_batch(ctx: Context, body: BatchIn) -> BatchOut:
    """Check a batch against the ledger and keep its entries; handing it in again adds nothing."""
    organisation = to_bytes(body.organisation)
    if ctx.caller.word != organisation:
        raise NotYours
    anchored_at = _check_anchor(ctx, organisation, body)
    leaves = _split(body)
    rows = _rows(organisation, body, leaves)
    hashes = merkle.leaf_hashes(leaves)
    if merkle.root(hashes) != to_bytes(body.root):
        raise EntriesWrong(detail="root")
    added = database.insert_new(ctx.db, IndexRow.__table__, rows)
    _keep_batch(ctx, organisation, body, anchored_at, b"".join(hashes))
    _mark_superseded(ctx, organisation, body, rows)
    return BatchOut(**body.model_dump(include={"organisation", "batch", "root", "firstSequence", "count"}), added=added)


def _check_anchor(ctx: Context, organisation: bytes, body: BatchIn) -> int:
    try:
        found = ctx.read("DataIndex", "batchOf", organisation=organisation, batch=body.batch)
    except LedgerError as error:
        if error.reason is Reason.REJECTED:
            raise NotAnchored from error
        raise
    given = (to_bytes(body.root), body.firstSequence, body.count)
    if (found["root"], found["firstSequence"], found["count"]) != given or not found["anchoredAt"]:
        raise NotAnchored
    return int(found["anchoredAt"])


def _split(body: BatchIn) -> list[bytes]:
    try:
        if isinstance(body.entries, list):
            leaves = [base64.b64decode(e, validate=True) for e in body.entries]
        else:
            whole = base64.b64decode(body.entries, validate=True)
            leaves = [whole[i : i + SIZE] for i in range(0, len(whole), SIZE)]
    except (binascii.Error, ValueError) as error:
        raise EntriesWrong(detail="base64") from error
    if len(leaves) != body.count or any(len(leaf) != SIZE for leaf in leaves):
        raise EntriesWrong(detail="count")
    return leaves


def _rows(organisation: bytes, body: BatchIn, leaves: list[bytes]) -> list[dict[str, Any]]:
    rows = []
    for position, leaf in enumerate(leaves):
        kind, owner, record, subject, sequence, version, category, flags, zero, recorded = _FIELDS.unpack(leaf)
        if kind != KIND or owner != organisation or sequence != body.firstSequence + position or zero or flags & ~TOMBSTONE:
            raise EntriesWrong(detail=f"entry {position}")
        rows.append(
            {
                "organisation": owner,
                "sequence": sequence,
                "batch": body.batch,
                "record": record,
                "subject": subject,
                "category": category,
                "version": version,
                "flags": flags,
                "recorded_at": recorded,
                "latest": True,
                "leaf": leaf,
            }
        )
    return rows


def _keep_batch(ctx: Context, organisation: bytes, body: BatchIn, anchored_at: int, leaves: bytes) -> None:
    row = {
        "organisation": organisation,
        "batch": body.batch,
        "root": to_bytes(body.root),
        "first_sequence": body.firstSequence,
        "count": body.count,
        "transaction": body.transaction,
        "anchored_at": anchored_at,
        "leaves": leaves,
    }
    database.insert_new(ctx.db, IndexBatch.__table__, [row])


def _mark_superseded(ctx: Context, organisation: bytes, body: BatchIn, rows: list[dict[str, Any]]) -> None:
    later = [{"o": organisation, "r": row["record"], "v": row["version"]} for row in rows if row["version"] > 1]
    if later:
        ctx.db.connection().execute(_SUPERSEDE_OLDER, later)
    ctx.db.connection().execute(
        _SUPERSEDE_LATE, {"o": organisation, "a": body.firstSequence, "b": body.firstSequence + body.count}
    )
