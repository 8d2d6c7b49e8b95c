"""Anchored batches of index entries, and the entries themselves where the batch was anchored in full."""

from __future__ import annotations

import struct

from core import merkle
from gateway.ledger.port import Event
from mirror.models import NUMBER, WORD, fact, number
from mirror.projections.base import Changes, Handler, Projection

ENTRY_BYTES = 256

BATCH = fact(
    "batch",
    {"organisation": WORD, "batch": NUMBER, "root": WORD, "first_sequence": NUMBER, "count": NUMBER, "previous_root": WORD},
    index=["root", "organisation"],
)
#: A batch whose entries travelled with it. ``proven``: 1 if the entries give the anchored root; the contract leaves that check
#: to readers,
#: and where it fails (0) no entry of the batch is shown.
FULL_BATCH = fact("full_batch", {"organisation": WORD, "batch": NUMBER, "count": NUMBER, "proven": NUMBER})
#: One entry of docs/formats.md section 3; ``number`` counts from 0 within the batch.
ENTRY = fact(
    "entry",
    {
        "number": NUMBER,
        "organisation": WORD,
        "record": WORD,
        "subject": WORD,
        "commitment": WORD,
        "schema": WORD,
        "previous": WORD,
        "sequence": NUMBER,
        "version": NUMBER,
        "category": NUMBER,
        "flags": NUMBER,
        "recorded_at": NUMBER,
        "indexed_at": NUMBER,
    },
    index=["record", "subject"],
    part="number",
)
_LAYOUT = struct.Struct(">32x32s32s32s32s32s32sQIBBxxQQ")


def _anchored(changes: Changes, e: Event, at: int) -> None:
    a = e.args
    numbers = (number(a["batch"]), a["root"], number(a["firstSequence"]), a["count"])
    changes.add(BATCH, (at, e.height, a["organisation"], *numbers, a["previousRoot"]))


def _in_full(changes: Changes, e: Event, at: int) -> None:
    a, raw = e.args, e.args["entries"]
    leaves = merkle.leaf_hashes(raw[i : i + ENTRY_BYTES] for i in range(0, len(raw), ENTRY_BYTES))
    proven = len(raw) == ENTRY_BYTES * a["count"] and merkle.root(leaves) == a["root"]
    changes.add(FULL_BATCH, (at, e.height, a["organisation"], number(a["batch"]), a["count"], int(proven)))
    if proven:
        for n, fields in enumerate(_LAYOUT.iter_unpack(raw)):
            changes.add(ENTRY, (at, e.height, n, *fields[:6], *map(number, fields[6:])))


PROJECTION = Projection(
    "DataIndex", (BATCH, FULL_BATCH, ENTRY), {"BatchAnchored": Handler(_anchored), "EntriesAnchored": Handler(_in_full)}
)
