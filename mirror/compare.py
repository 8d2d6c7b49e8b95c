"""Do two mirrors agree, and if not, from which block on. And does one mirror still hold the rows it hashed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

import sqlalchemy as sa

from mirror import digest
from mirror.checkpoint import Cursor, Source, load, origin
from mirror.database import Database
from mirror.models import BLOCK, Relation, Row, position
from mirror.projections import RELATIONS

Digests = Callable[[int], bytes | None]
ROWS_SHOWN = 6
LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Difference:
    """The first block that differs (−1: they mirror different ledgers), how, and the first rows one has and the other has not."""

    height: int
    what: str
    rows: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"block {self.height}: {self.what}", *self.rows])


def compare(a: str, b: str) -> Difference | None:
    """The first block where two mirrors (SQLAlchemy URLs) differ, up to the lower of their heads; None if nowhere.

    First the stored digests, then each mirror's rows against its own digests, so that a row changed by hand shows too.
    """
    first, second = Database(a), Database(b)
    try:
        for database in (first, second):
            database.prepare()
        found = compare_databases(first, second) or verify(first) or verify(second)
        return found and replace(found, rows=tuple(islice(rows_apart(first, second, found.height), ROWS_SHOWN)))
    finally:
        first.close()
        second.close()


def compare_databases(a: Database, b: Database) -> Difference | None:
    """The first block whose digests differ, None if none does up to the lower head."""
    heads = []
    for database in (a, b):
        with database.read() as connection:
            heads.append(load(connection))
    if heads[0] is None or heads[1] is None:
        return None
    if heads[0][0] != heads[1][0]:
        return Difference(-1, f"{a.name} mirrors {heads[0][0]}, {b.name} mirrors {heads[1][0]}")
    lower = min(heads[0][1].height, heads[1][1].height)
    height = first_difference(lambda h: digest_at(a, h), lambda h: digest_at(b, h), lower)
    return None if height is None else Difference(height, _how(a, b, height))


def rows_apart(a: Database, b: Database, height: int) -> Iterator[str]:
    """Rows of a block that only one of two mirrors has, in words: relation, database, columns."""
    with a.read() as first, b.read() as second:
        ours, theirs = rows_of(first, height), rows_of(second, height)
    for relation in RELATIONS:
        for database, rows, others in ((a, ours, theirs), (b, theirs, ours)):
            both = set(others.get(relation, ()))
            for row in rows.get(relation, ()):
                if row not in both:
                    columns = ", ".join(f"{n} {_shown(v)}" for n, v in zip(relation.columns, row, strict=True))
                    yield f"{relation.name}, only in {database.name}: {columns}"


def first_difference(a: Digests, b: Digests, height: int) -> int | None:
    """The lowest block up to ``height`` where two running digests differ, None if they agree at ``height``.

    Digests run on, so a difference never heals and halving finds the first in log₂ steps.
    """
    if height < 0 or a(height) == b(height):
        return None
    low, high = 0, height
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if a(middle) == b(middle) else (low, middle)
    return low


def digest_at(database: Database, height: int) -> bytes | None:
    """The stored digest of a block, None if the mirror does not hold it."""
    with database.read() as connection:
        found = connection.scalar(sa.select(BLOCK.c.digest).where(BLOCK.c.height == height))
    return None if found is None else bytes(found)


def differing(database: Database, theirs: Mapping[int, bytes]) -> int | None:
    """The lowest of the given heights at which this mirror's digest differs from the given one or is missing."""
    return next((h for h in sorted(theirs) if digest_at(database, h) != theirs[h]), None)


def _how(a: Database, b: Database, height: int) -> str:
    hashes = []
    for database in (a, b):
        with database.read() as connection:
            hashes.append(bytes(connection.scalar(sa.select(BLOCK.c.hash).where(BLOCK.c.height == height)) or b""))
    if hashes[0] != hashes[1]:
        return f"different blocks: {a.name} has 0x{hashes[0].hex()}, {b.name} has 0x{hashes[1].hex()}"
    return f"the same block 0x{hashes[0].hex()}, but different rows"


def _shown(value: object) -> str:
    text = f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def verify(database: Database) -> Difference | None:
    """The first block whose rows, as they lie in the tables now, do not give the stored digest; None if all do."""
    with database.read() as connection:
        return verify_connection(connection)


def verify_connection(connection: sa.Connection) -> Difference | None:
    """:func:`verify` within the caller's transaction."""
    found = load(connection)
    if found is None:
        return None
    source, cursor = found
    return _verify_blocks(connection, source) or _verify_end(connection, cursor) or _verify_versions(connection)


def _verify_blocks(connection: sa.Connection, source: Source) -> Difference | None:
    running, parent, expected = origin(source).digest, bytes(32), 0
    blocks = sa.select(BLOCK.c.height, BLOCK.c.hash, BLOCK.c.parent, BLOCK.c.digest, BLOCK.c.events).order_by(BLOCK.c.height)
    for block in connection.execute(blocks).all():
        if block.height != expected or (expected and bytes(block.parent) != parent):
            return Difference(expected, "the block is missing, or does not continue the one before")
        running = digest.following(running, bytes(block.hash), rows_of(connection, block.height), RELATIONS)
        if running != bytes(block.digest):
            return Difference(block.height, "the rows in the tables do not give the stored digest")
        parent, expected = bytes(block.hash), expected + 1
    return None


def _verify_end(connection: sa.Connection, cursor: Cursor) -> Difference | None:
    """The cursor is the last block, and no row belongs to a block after it or before the first: no digest would cover it."""
    last = connection.execute(sa.select(BLOCK.c.height, BLOCK.c.hash, BLOCK.c.digest).order_by(BLOCK.c.height.desc()).limit(1))
    block = last.one_or_none()
    if cursor.height >= 0 and (block is None or Cursor(block.height, bytes(block.hash), bytes(block.digest)) != cursor):
        return Difference(cursor.height, "the cursor is not the last block")
    for relation in RELATIONS:
        columns = relation.table.c
        if relation.key is None:
            outside = sa.or_(columns.position < 0, columns.position >= position(cursor.height + 1, 0))
        else:
            outside = sa.or_(columns.valid_from < 0, columns.valid_from > cursor.height)
        if connection.scalar(sa.select(sa.func.count()).select_from(relation.table).where(outside)):
            return Difference(cursor.height + 1, f"{relation.name} holds rows of blocks that are not in the mirror")
    return None


def _verify_versions(connection: sa.Connection) -> Difference | None:
    """``valid_to`` is not in the digest, because a later block sets it: it must be the beginning of the next version."""
    for relation in RELATIONS:
        if relation.key is None:
            continue
        columns = relation.table.c
        following = sa.func.lead(columns.valid_from).over(partition_by=columns[relation.key], order_by=columns.valid_from)
        inner = sa.select(columns.valid_from, columns.valid_to, following.label("next")).subquery()
        wrong = sa.select(sa.func.min(inner.c.valid_from)).where(inner.c.valid_to.is_distinct_from(inner.c.next))
        if (height := connection.scalar(wrong)) is not None:
            return Difference(height, f"a version in {relation.name} does not end where the next begins")
    return None


def rows_of(connection: sa.Connection, height: int) -> dict[Relation, list[Row]]:
    """What a block put into each relation, read back from the tables in canonical order."""
    found = {}
    for relation in RELATIONS:
        columns = relation.table.c
        chosen = sa.select(*(columns[n] for n in relation.columns))
        if relation.key is None:
            inside = (columns.position >= position(height, 0)) & (columns.position < position(height + 1, 0))
            query = chosen.where(inside).order_by(*relation.table.primary_key)
        else:
            query = chosen.where(columns.valid_from == height).order_by(columns[relation.key])
        if rows := [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in connection.execute(query)]:
            found[relation] = rows
    return found
