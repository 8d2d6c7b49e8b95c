"""The running digest: one hash a block over all that the mirror made of the chain so far (docs/formats.md, section 12).

Two mirrors with the same digest at a height hold the same rows up to that height; at the first block where they differ, they
differ for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.crypto import sm3
from mirror.models import Relation, Row

KIND = b"healthtrust/mirror/v1".ljust(32, b"\0")


def first(ledger_id: bytes, genesis: bytes) -> bytes:
    """The digest before block 0: names the ledger."""
    return sm3(KIND + ledger_id + genesis)


def following(previous: bytes, block: bytes, rows: Mapping[Relation, list[Row]], order: Iterable[Relation]) -> bytes:
    """The digest after a block with this hash, ``rows`` being what the block put into each relation, facts by position, states
    by key.

    ``order`` lists all relations in the order of docs/formats.md.
    """
    parts = [previous, block]
    for relation in order:
        if found := rows.get(relation):
            parts += relation.head, len(found).to_bytes(8, "big"), relation.pack(found)
    return sm3(b"".join(parts))
