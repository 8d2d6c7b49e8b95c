"""Where a hash stands: on which ledger, in which block, by which contract, of which organisation, and as what."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from core.hexes import to_bytes
from mirror.checkpoint import load
from mirror.database import Database
from mirror.models import BLOCK, POSITION_SHIFT, WORD, Relation
from mirror.projections import PROJECTIONS
from mirror.query import shown

#: Words that the index of identifiers leaves out; they are looked for in the tables themselves.
SEARCHED = ("commitment", "answer_commitment", "message_hash", "name_digest", "digest", "root", "head_hash")
MOST = 100
#: The columns that name whose row it is, the first that a relation has.
OWNERS = ("organisation", "applicant", "registrar", "subject")


@dataclass(frozen=True)
class Place:
    """One place. ``what``: ``block.hash``, or relation and column; ``business``: the row's key or what it belongs to."""

    what: str
    ledger: str
    contract: str
    height: int
    block: str
    time: int
    organisation: str
    business: dict[str, Any]


def find(database: Database, hash_: str) -> list[Place]:
    """Every place of a 32-byte hash (``0x…``), newest first; empty if the mirror knows none. Malformed for anything else.

    Blocks and identifiers are found by index; commitments by reading their tables, which takes a second a million rows.
    """
    word = to_bytes(hash_, 32, "hash")
    with database.read() as connection:
        found = load(connection)
        if found is None:
            return []
        ledger = shown(found[0].ledger_id)
        places = _blocks(connection, ledger, word)
        for projection in PROJECTIONS:
            for relation in projection.relations:
                places += _rows(connection, ledger, projection.contract, relation, word)
    return sorted(places, key=lambda p: -p.height)[:MOST]


def answer(database: Database, hash_: str) -> dict[str, Any]:
    """:func:`find` for APIs."""
    return {"hash": hash_, "places": [asdict(place) for place in find(database, hash_)]}


def _blocks(connection: sa.Connection, ledger: str, word: bytes) -> list[Place]:
    out = []
    for column in (BLOCK.c.hash, BLOCK.c.digest):
        for row in connection.execute(sa.select(BLOCK).where(column == word).limit(1)):
            out.append(Place(f"block.{column.name}", ledger, "", row.height, shown(row.hash), row.time, "", {}))
    return out


def _rows(connection: sa.Connection, ledger: str, contract: str, relation: Relation, word: bytes) -> list[Place]:
    columns = relation.table.c
    kinds = dict(zip(relation.columns, relation.kinds, strict=True))
    names = [n for n, k in kinds.items() if k is WORD and (n in SEARCHED or n == relation.key)]
    if not names:
        return []
    height = columns.valid_from if relation.key else columns.position.op(">>")(sa.cast(POSITION_SHIFT, sa.Integer))
    query = sa.select(relation.table, BLOCK.c.hash.label("_hash"), BLOCK.c.time.label("_time"), height.label("_height"))
    query = query.join(BLOCK, BLOCK.c.height == height).where(sa.or_(*(columns[n] == word for n in names)))
    rows = connection.execute(query.order_by(height.desc()).limit(MOST)).mappings()
    return [_place(ledger, contract, relation, names, dict(row), word) for row in rows]


def _place(ledger: str, contract: str, relation: Relation, names: list[str], row: dict[str, Any], word: bytes) -> Place:
    owner = next((n for n in OWNERS if n in row), "")
    said = next(n for n in names if bytes(row[n]) == word)
    business = {n: shown(row[n]) for n in relation.columns if n not in ("position", "height", "valid_from")}
    where = (row["_height"], shown(row["_hash"]), row["_time"])
    return Place(f"{relation.name}.{said}", ledger, contract, *where, shown(row[owner]) if owner else "", business)
