"""Reading the index: residents see their own entries, practitioners what the decision permits, custodians what they handed in."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence

from core import merkle
from core.artefact import ConsentArtefact
from core.decision import open_scope
from core.entry import IndexEntry
from core.errors import NotFound
from core.hexes import to_bytes, to_hex
from core.vocabulary import category_code, category_number, purpose_number, role_number
from gateway.deps import Context
from gateway.identity.caller import RESIDENT
from gateway.index import repository
from gateway.index.models import IndexBatch, IndexRow
from gateway.index.permitted import Asker, consent_holds, permitted, states_at, within
from gateway.index.schemas import EntryOut, EntryPage, ProofOut, SearchIn

PAGE = 100
_KEPT_TREES = 8
_trees: OrderedDict[bytes, merkle.Tree] = OrderedDict()
_trees_lock = threading.Lock()


def own_entries(
    ctx: Context, category: str | None, custodian: str | None, since: int, until: int, cursor: str | None, limit: int
) -> EntryPage:
    """The resident's own records."""
    number = category_number(category) if category else None
    rows = repository.of_subject(ctx.db, ctx.caller.word, number, to_bytes(custodian) if custodian else None, since, until)
    return page([(row, None) for row in rows], cursor, limit)


def search(ctx: Context, body: SearchIn) -> EntryPage:
    """What the calling practitioner may read of a patient under the consent shown; nothing else leaves a trace in the answer."""
    artefact = ConsentArtefact.from_json(body.artefact)
    asker = Asker(ctx.caller.word, to_bytes(ctx.caller.organisation), role_number(body.role), purpose_number(body.purpose))
    number = category_number(body.category) if body.category else None
    custodian = to_bytes(body.custodian) if body.custodian else None
    head = ctx.ledger.head()
    opened = open_scope(artefact.scope.words(), artefact.salt)
    if not consent_holds(ctx, head, asker, artefact, opened, to_bytes(body.subject)):
        return page_of_permitted([], body.cursor, body.limit)
    rows = within(artefact.scope, repository.of_subject(ctx.db, to_bytes(body.subject), number, custodian))
    states = states_at(ctx, head, asker, artefact.consent, (row.organisation for row in rows))
    found = permitted(ctx, rows, asker, states, opened, head.time)
    return page_of_permitted([(row, decision.fields) for row, decision in found], body.cursor, body.limit)


def page(found: Sequence[tuple[IndexRow, int | None]], cursor: str | None, limit: int) -> EntryPage:
    """Cut a page out of the caller's own records; the cursor is a place in time, so new records shift nothing."""
    start = found
    if cursor:
        time, _, number = cursor.partition("-")
        place = (int(time), int(number or 0))
        start = [item for item in found if (item[0].recorded_at, item[0].id) < place]
    items = start[:limit]
    following = f"{items[-1][0].recorded_at}-{items[-1][0].id}" if len(start) > limit else None
    return _page(found, items, following)


def page_of_permitted(found: Sequence[tuple[IndexRow, int | None]], cursor: str | None, limit: int) -> EntryPage:
    """Cut a page out of what somebody else may know. Neither cursor nor entries carry numbers that run over hidden records
    too: gaps in
    them would tell that there is more."""
    offset = int(cursor.partition("-")[0]) if cursor else 0
    items = found[offset : offset + limit]
    following = str(offset + limit) if len(found) > offset + limit else None
    whole = _page(found, items, following)
    return whole.model_copy(update={"items": [item.model_copy(update={"sequence": None}) for item in whole.items]})


def _page(
    found: Sequence[tuple[IndexRow, int | None]], items: Sequence[tuple[IndexRow, int | None]], following: str | None
) -> EntryPage:
    return EntryPage(
        items=[describe(row, fields) for row, fields in items],
        total=len(found),
        categories=dict(Counter(category_code(row.category) for row, _ in found)),
        custodians=dict(Counter(to_hex(row.organisation) for row, _ in found)),
        next=following,
    )


def entry(ctx: Context, record: str) -> EntryOut:
    """One record's newest entry, for its subject or its custodian."""
    return describe(_visible(ctx, record), None)


def proof(ctx: Context, record: str) -> ProofOut:
    """Inclusion of a record's newest entry in what the ledger anchored."""
    row = _visible(ctx, record)
    batch = ctx.db.get_one(IndexBatch, (row.organisation, row.batch))
    index = row.sequence - batch.first_sequence
    hashes = _tree(batch).inclusion_proof(index)
    return ProofOut(
        organisation=to_hex(row.organisation),
        batch=row.batch,
        root=to_hex(batch.root),
        entry=to_hex(row.leaf),
        leafIndex=index,
        treeSize=batch.count,
        hashes=[to_hex(h) for h in hashes],
        transaction=batch.transaction,
        anchoredAt=batch.anchored_at,
    )


def _visible(ctx: Context, record: str) -> IndexRow:
    row = repository.of_record(ctx.db, to_bytes(record))
    owner = None if row is None else (row.subject if RESIDENT in ctx.caller.roles else row.organisation)
    if row is None or owner != ctx.caller.word:
        raise NotFound
    return row


def _tree(batch: IndexBatch) -> merkle.Tree:
    """The batch's tree; a few are kept, because proofs are asked for in runs."""
    with _trees_lock:
        if batch.root in _trees:
            _trees.move_to_end(batch.root)
            return _trees[batch.root]
    tree = merkle.Tree([batch.leaves[i : i + 32] for i in range(0, len(batch.leaves), 32)])
    with _trees_lock:
        _trees[batch.root] = tree
        while len(_trees) > _KEPT_TREES:
            _trees.popitem(last=False)
    return tree


def describe(row: IndexRow, fields: int | None) -> EntryOut:
    """An entry as callers see it."""
    leaf = IndexEntry.unpack(row.leaf)
    return EntryOut(
        record=to_hex(leaf.record),
        custodian=to_hex(leaf.organisation),
        subject=to_hex(leaf.subject),
        category=category_code(leaf.category),
        schema=to_hex(leaf.schema),
        version=leaf.version,
        recordedAt=leaf.recorded_at,
        indexedAt=leaf.indexed_at,
        commitment=to_hex(leaf.commitment),
        batch=row.batch,
        sequence=leaf.sequence,
        fields=None if fields is None else f"0x{fields:064x}",
    )
