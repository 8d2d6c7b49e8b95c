"""Questions to the mirror's tables, from people: names from a closed list, values bound, whole pages or nothing.

A question names a table, filters (``column``, ``column__from``, ``column__to``), a column to sort by (``-column``: downwards),
and goes on where the last page ended. States show what is in force, unless asked for a height (``as_of``) or for everything
(``history``).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from core.errors import Malformed
from mirror.database import Database
from mirror.models import BLOCK
from mirror.projections import RELATIONS

MOST_ROWS = 1000
_RELATIONS = {r.name: r for r in RELATIONS}
TABLES: dict[str, sa.Table] = {BLOCK.name: BLOCK, **{name: r.table for name, r in _RELATIONS.items()}}


@dataclass(frozen=True)
class Page:
    """Rows by column name (words as ``0x…``), what to ask for next (None: that was all), and the block the answer is true of."""

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]
    next: str | None
    height: int


def tables(
    database: Database,
    name: str,
    filters: Mapping[str, str] | None = None,
    sort: str = "",
    cursor: str | None = None,
    limit: int = 100,
    as_of: int | None = None,
    history: bool = False,
) -> Page:
    """One page of a table. Malformed (400) for an unknown table or column, a value that does not fit, or a foreign cursor."""
    table = TABLES.get(name)
    if table is None:
        raise Malformed("table_unknown", detail=f"no table {name!r}; there are: {', '.join(TABLES)}")
    order = _order(table, sort)
    query = sa.select(table).where(*_conditions(table, filters or {}), *_version(table, as_of, history))
    if cursor:
        query = query.where(_after(order, _opened(cursor, name, sort, len(order))))
    query = query.order_by(*(c.desc() if down else c.asc() for c, down in order)).limit(min(max(limit, 1), MOST_ROWS) + 1)
    with database.read() as connection:
        found = connection.execute(query).mappings().all()
        height = connection.scalar(sa.select(sa.func.max(BLOCK.c.height)))
    more = len(found) > min(max(limit, 1), MOST_ROWS)
    rows = [{k: shown(v) for k, v in row.items()} for row in (found[:-1] if more else found)]
    following = _closed(name, sort, [rows[-1][c.name] for c, _ in order]) if more else None
    return Page(tuple(c.name for c in table.columns), rows, following, -1 if height is None else height)


def shown(value: Any) -> Any:
    """A stored value as people and JSON see it."""
    return "0x" + bytes(value).hex() if isinstance(value, bytes | memoryview) else value


def _column(table: sa.Table, name: str) -> sa.Column[Any]:
    if name not in table.c:
        raise Malformed("column_unknown", detail=f"{table.name} has no column {name!r}; it has: {', '.join(table.c.keys())}")
    return table.c[name]


def _order(table: sa.Table, sort: str) -> list[tuple[sa.Column[Any], bool]]:
    down = sort.startswith("-")
    primary = [(c, down) for c in table.primary_key]
    if not sort:
        return primary
    column = _column(table, sort.removeprefix("-"))
    if column.nullable:
        raise Malformed("sort_unknown", detail=f"rows cannot be sorted by {column.name}, which may be empty")
    return [(column, down), *((c, d) for c, d in primary if c is not column)]


def _conditions(table: sa.Table, filters: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
    out: list[sa.ColumnElement[bool]] = []
    for given, text in filters.items():
        name, _, how = given.partition("__")
        column = _column(table, name)
        value = _value(column, text)
        if how not in ("", "from", "to"):
            raise Malformed("filter_unknown", detail=f"{given}: filters are column, column__from, column__to")
        out.append(column == value if not how else column >= value if how == "from" else column <= value)
    return out


def _value(column: sa.Column[Any], value: Any) -> Any:
    try:
        if isinstance(column.type, sa.LargeBinary):
            return bytes.fromhex(value.removeprefix("0x"))
        if isinstance(column.type, sa.Text):
            return str(value).replace("\0", "")
        # A number no column can hold is compared as the largest one can, which no row has.
        return max(-(2**63), min(int(value), 2**63 - 1))
    except (ValueError, AttributeError, TypeError) as e:
        raise Malformed("value_malformed", detail=f"{value!r} is no value of column {column.name}") from e


def _version(table: sa.Table, as_of: int | None, history: bool) -> list[sa.ColumnElement[bool]]:
    if "valid_to" not in table.c or history:
        return []
    ended = table.c.valid_to
    if as_of is None:
        return [ended.is_(None)]
    return [table.c.valid_from <= as_of, sa.or_(ended.is_(None), ended > as_of)]


def _after(order: list[tuple[sa.Column[Any], bool]], last: list[Any]) -> sa.ColumnElement[bool]:
    """Rows after ``last`` in this order: greater in the first column that differs."""
    values = [_value(column, value) for (column, _), value in zip(order, last, strict=True)]
    options = []
    for i, (column, down) in enumerate(order):
        equal = [c == v for (c, _), v in zip(order[:i], values, strict=False)]
        options.append(sa.and_(*equal, column < values[i] if down else column > values[i]))
    return sa.or_(*options)


def _closed(name: str, sort: str, last: list[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([name, sort, last])).decode()


def _opened(cursor: str, name: str, sort: str, length: int) -> list[Any]:
    try:
        table, by, last = orjson.loads(base64.urlsafe_b64decode(cursor))
    except ValueError as e:
        raise Malformed("cursor_malformed", detail="the cursor is not one of ours") from e
    if (table, by) != (name, sort) or not isinstance(last, list) or len(last) != length:
        raise Malformed("cursor_malformed", detail="the cursor belongs to another question")
    return last
