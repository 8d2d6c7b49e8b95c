"""Questions to the mirror's tables, from people: names from a closed list, values bound, whole pages or nothing.

A question names a table, filters (``column``, ``column__from``, ``column__to``), a column to sort by (``-column``: downwards),
and goes on where the last page ended. States show what is in force, unless asked for a height (``as_of``) or for everything
(``history``).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from csv import writer as csv_writer
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa

from core.errors import Malformed
from mirror.database import Database
from mirror.models import BLOCK
from mirror.projections import RELATIONS
from mirror.sight import EVERYTHING, Sight

MOST_ROWS, ROWS_A_PART = 1000, 2000
FORMULA = frozenset("=+-@\t\r")
_RELATIONS = {r.name: r for r in RELATIONS}
TABLES: dict[str, sa.Table] = {BLOCK.name: BLOCK, **{name: r.table for name, r in _RELATIONS.items()}}


@dataclass(frozen=True)
class Question:
    """What is asked of a table. ``fields``: columns in the order wanted, none: all; ``sight``: who asks."""

    name: str
    filters: Mapping[str, str] = field(default_factory=dict)
    sort: str = ""
    as_of: int | None = None
    history: bool = False
    fields: tuple[str, ...] = ()
    sight: Sight = EVERYTHING


@dataclass(frozen=True)
class Page:
    """Rows by column name (words as ``0x…``), what to ask for next (None: that was all), and the block the answer is true of.
    ``total``: rows of all pages, where it was asked for. All of it is of rows that the caller may see."""

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]
    next: str | None
    height: int
    total: int | None = None


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
    """:func:`page` for those who see everything."""
    return page(database, Question(name, filters or {}, sort, as_of, history), cursor, limit)


def page(database: Database, asked: Question, cursor: str | None = None, limit: int = 100, total: bool = False) -> Page:
    """One page. Malformed (400) for an unknown table or column, a value that does not fit, or a foreign cursor."""
    table, most = _table(asked.name), min(max(limit, 1), MOST_ROWS)
    order, conditions = _order(table, asked), _asked(table, asked)
    here = [_after(order, _opened(cursor, asked.name, asked.sort, len(order)))] if cursor else []
    with database.read() as connection:
        found = connection.execute(_select(table, order, [*conditions, *here]).limit(most + 1)).mappings().all()
        height = connection.scalar(sa.select(sa.func.max(BLOCK.c.height)))
        counted = sa.select(sa.func.count()).select_from(table).where(*conditions)
        count = connection.scalar(counted) if total else None
    columns, more = _chosen(table, asked), len(found) > most
    rows = [{c: shown(row[c]) for c in columns} for row in (found[:-1] if more else found)]
    following = _closed(asked.name, asked.sort, [shown(found[-2][c.name]) for c, _ in order]) if more else None
    return Page(columns, rows, following, -1 if height is None else height, count)


def csv(database: Database, asked: Question) -> Iterator[str]:
    """Every row as RFC 4180 text with a head, in one view of the database, in parts. Malformed as for :func:`page`, before the
    first part."""
    table = _table(asked.name)
    columns = _chosen(table, asked)
    query = _select(table, _order(table, asked), _asked(table, asked))
    return _csv(database, query, columns)


def _csv(database: Database, query: sa.Select[Any], columns: tuple[str, ...]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv_writer(text)
    writer.writerow(columns)
    with database.read() as connection:
        rows = connection.execute(query, execution_options={"yield_per": ROWS_A_PART}).mappings()
        for part in rows.partitions():
            writer.writerows([_cell(shown(row[c])) for c in columns] for row in part)
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _cell(value: Any) -> Any:
    """What a spreadsheet would run as a formula is made text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in FORMULA else value


def _table(name: str) -> sa.Table:
    table = TABLES.get(name)
    if table is None:
        raise Malformed("table_unknown", detail=f"no table {name!r}; there are: {', '.join(TABLES)}")
    return table


def _asked(table: sa.Table, asked: Question) -> list[sa.ColumnElement[bool]]:
    """Conditions on rows: those of sight first, so that nothing about a hidden row can be asked."""
    return [*asked.sight.rows(table), *_conditions(table, asked), *_version(table, asked.as_of, asked.history)]


def _chosen(table: sa.Table, asked: Question) -> tuple[str, ...]:
    return tuple(_column(table, asked, name).name for name in asked.fields or [c.name for c in asked.sight.columns(table)])


def _select(
    table: sa.Table, order: list[tuple[sa.Column[Any], bool]], conditions: Sequence[sa.ColumnElement[bool]]
) -> sa.Select[Any]:
    return sa.select(table).where(*conditions).order_by(*(c.desc() if down else c.asc() for c, down in order))


def shown(value: Any) -> Any:
    """A stored value as people and JSON see it."""
    return "0x" + bytes(value).hex() if isinstance(value, bytes | memoryview) else value


def _column(table: sa.Table, asked: Question, name: str) -> sa.Column[Any]:
    seen = {c.name: c for c in asked.sight.columns(table)}
    if name not in seen:
        raise Malformed("column_unknown", detail=f"{table.name} has no column {name!r}; it has: {', '.join(seen)}")
    return seen[name]


def _order(table: sa.Table, asked: Question) -> list[tuple[sa.Column[Any], bool]]:
    sort, down = asked.sort, asked.sort.startswith("-")
    primary = [(c, down) for c in table.primary_key]
    if not sort:
        return primary
    column = _column(table, asked, sort.removeprefix("-"))
    if column.nullable:
        raise Malformed("sort_unknown", detail=f"rows cannot be sorted by {column.name}, which may be empty")
    return [(column, down), *((c, d) for c, d in primary if c is not column)]


def _conditions(table: sa.Table, asked: Question) -> list[sa.ColumnElement[bool]]:
    out: list[sa.ColumnElement[bool]] = []
    for given, text in asked.filters.items():
        name, _, how = given.partition("__")
        column = _column(table, asked, name)
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
