"""Receipts: taken from the gates, shown to whom they concern.

A store cannot tell two stories: a second text under a number, or a link that does not fit its neighbour, is refused and logged.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, and_, or_, select

from core import crypto
from core.hexes import to_bytes, to_hex
from core.receipt import Receipt
from gateway import database
from gateway.deps import Context
from gateway.identity.caller import RESIDENT, ROLE_AUDITOR, ROLE_CUSTODIAN
from gateway.ledger.port import Call
from gateway.notice import service as notices
from gateway.problem import log
from gateway.receipt.errors import ChainBroken, NotYourStore
from gateway.receipt.models import ReceiptCopy
from gateway.receipt.schemas import ReceiptFacts, ReceiptOut, ReceiptPage, ReceiptsIn, ReceiptsTaken

PAGE = 100
_SAID = tuple(name for name in ReceiptFacts.model_fields if name != "anchored")


def take(ctx: Context, body: ReceiptsIn) -> ReceiptsTaken:
    """Keep receipts of the calling store and tell the people they are about."""
    rows = [_row(ctx, item.receipt, to_bytes(item.salt)) for item in body.receipts]
    known = _around(ctx, [row["number"] for row in rows])
    fresh = []
    for row in sorted(rows, key=lambda r: r["number"]):
        if _is_known(row, known):
            continue
        known[row["number"]] = (row["hash"], row["previous"])
        fresh.append(row)
    added = database.insert_new(ctx.db, ReceiptCopy.__table__, fresh)
    _tell(ctx, fresh)
    return ReceiptsTaken(added=added, known=len(rows) - added)


def _row(ctx: Context, text: str, salt: bytes) -> dict[str, Any]:
    receipt = Receipt.from_bytes(text)
    if receipt.store != ctx.caller.word:
        raise NotYourStore
    return {
        "store": receipt.store,
        "number": receipt.number,
        "hash": crypto.sm3(text.encode()),
        "previous": receipt.previous,
        "subject": receipt.subject,
        "requester": receipt.requester,
        "outcome": receipt.outcome.text,
        "time": receipt.time,
        "receipt": text,
        "salt": salt,
    }


def _around(ctx: Context, numbers: list[int]) -> dict[int, tuple[bytes, bytes]]:
    """Hash and link of what we hold between the neighbours of these numbers."""
    query = select(ReceiptCopy.number, ReceiptCopy.hash, ReceiptCopy.previous).where(
        ReceiptCopy.store == ctx.caller.word, ReceiptCopy.number.between(min(numbers) - 1, max(numbers) + 1)
    )
    return {number: (hash_, previous) for number, hash_, previous in ctx.db.execute(query)}


def _is_known(row: dict[str, Any], known: dict[int, tuple[bytes, bytes]]) -> bool:
    number = row["number"]
    here, before, after = known.get(number), known.get(number - 1), known.get(number + 1)
    forked = here is not None and here[0] != row["hash"]
    torn = (before is not None and before[0] != row["previous"]) or (after is not None and after[1] != row["hash"])
    if forked or torn:
        log.error("receipt_chain_broken", store=to_hex(row["store"]), number=number)
        raise ChainBroken(number=number)
    return here is not None


def _tell(ctx: Context, rows: list[dict[str, Any]]) -> None:
    """One notice a reader and subject, however many records were read; of emergency treatment one of its own."""
    read: dict[tuple[bytes, bytes, bool], int] = {}
    for row in rows:
        if row["outcome"] == "permit" and row["requester"] != row["subject"]:
            kind = (row["subject"], row["requester"], json.loads(row["receipt"])["purpose"] == "ETREAT")
            read[kind] = read.get(kind, 0) + 1
    for (subject, requester, emergency), count in read.items():
        data = {"practitioner": to_hex(requester), "store": ctx.caller.id, "count": count, "emergency": emergency}
        notices.tell(ctx, to_hex(subject), "reading", data)


def page(ctx: Context, subject: str | None, custodian: str | None, cursor: str | None, limit: int) -> ReceiptPage:
    """Receipts the caller may see: about them, made by them, of their store; auditors all."""
    query = select(ReceiptCopy).where(_mine(ctx))
    if subject:
        query = query.where(ReceiptCopy.subject == to_bytes(subject))
    if custodian:
        query = query.where(ReceiptCopy.store == to_bytes(custodian))
    if cursor:
        time, _, number = cursor.partition("-")
        later = and_(ReceiptCopy.time == int(time), ReceiptCopy.id < int(number or 0))
        query = query.where(or_(ReceiptCopy.time < int(time), later))
    rows = newest(ctx, query, limit)
    following = f"{rows[-1].time}-{rows[-1].id}" if len(rows) == limit else None
    return ReceiptPage(items=[_describe(row, facts) for row, facts in told(ctx, rows)], next=following)


def newest(ctx: Context, query: Select[ReceiptCopy], limit: int) -> list[ReceiptCopy]:
    """The newest receipts that a query finds."""
    return list(ctx.db.scalars(query.order_by(ReceiptCopy.time.desc(), ReceiptCopy.id.desc()).limit(limit)))


def told(ctx: Context, rows: Sequence[ReceiptCopy]) -> list[tuple[ReceiptCopy, dict[str, Any]]]:
    """Each receipt with the fields of :class:`ReceiptFacts`."""
    anchored = _anchored(ctx, {row.store for row in rows})
    return [(row, _said(row) | {"anchored": row.number < anchored[row.store]}) for row in rows]


def _said(row: ReceiptCopy) -> dict[str, Any]:
    document = json.loads(row.receipt)
    return {name: document[name] for name in _SAID}


def _mine(ctx: Context) -> Any:
    roles = ctx.caller.roles
    if ROLE_AUDITOR in roles:
        return ReceiptCopy.number >= 0
    if RESIDENT in roles:
        return ReceiptCopy.subject == ctx.caller.word
    return (ReceiptCopy.store if ROLE_CUSTODIAN in roles else ReceiptCopy.requester) == ctx.caller.word


def _anchored(ctx: Context, stores: set[bytes]) -> dict[bytes, int]:
    """First number of each store that is not on the ledger yet."""
    names = sorted(stores)
    if not names:
        return {}
    held = ctx.ledger.read_many([Call("Access", "receiptsOf", {"organisation": name}) for name in names])
    return {name: int(state["nextNumber"]) for name, state in zip(names, held, strict=True)}


def _describe(row: ReceiptCopy, facts: dict[str, Any]) -> ReceiptOut:
    return ReceiptOut(
        **facts,
        id=f"{to_hex(row.store)}-{row.number}",
        fields=json.loads(row.receipt)["fields"],
        receipt=row.receipt,
        salt=to_hex(row.salt),
    )
