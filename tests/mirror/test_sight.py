"""What an organisation does not see changes nothing of what it sees: rows, pages, totals, files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from mirror.database import Database
from mirror.projections import RELATIONS
from mirror.query import TABLES, Question, csv, page
from mirror.sight import COMMON, HIDDEN_COLUMNS, OWN, Sight
from tests.mirror.alliance import Organisation
from tests.mirror.scripted import ScriptedLedger, Story
from tests.mirror.support import follower

ME, OTHER = Organisation.number(0), Organisation.number(1)
SEES = Sight(ME.id)


@pytest.fixture
def mirror(database_url: str) -> Database:
    live = follower(told_by_two(5, 60), database_url)
    live.catch_up()
    return live.database


def told_by_two(seed: int, blocks: int) -> ScriptedLedger:
    """A ledger on which the two organisations do what usually random ones do."""
    ledger = ScriptedLedger(seed)
    rng = random.Random(seed)
    ledger.extend([*ME.joins(), *OTHER.joins()])
    story = Story(ledger, rng)
    for _ in range(blocks):
        raw = story.block()
        for _, name, args in raw:
            if "organisation" in args and not name.startswith("Organisation"):
                args["organisation"] = rng.choice([ME.id, OTHER.id])
            if "by" in args:
                args["by"] = rng.choice([ME.id, OTHER.id])
        ledger.extend(raw)
    consent = next(e.args["consent"] for e in ledger.history() if e.name == "ConsentGranted")
    for who in (ME, OTHER, OTHER):
        ledger.extend([("Consent", "ConsentSpent", {"consent": consent, "uses": 1, "by": who.id})])
    return ledger


def seen(database: Database, name: str) -> Iterator[Any]:
    """Everything that can be asked of a table, in several ways."""
    columns = [c.name for c in SEES.columns(TABLES[name])]
    time = "height" if "height" in columns else "valid_from"
    for sort in ("", time, f"-{time}"):
        for limit in (2, 1000):
            asked, cursor = Question(name, sort=sort, history=True, sight=SEES), None
            while True:
                found = page(database, asked, cursor, limit, total=True)
                yield found.rows, found.next, found.total
                cursor = found.next
                if cursor is None:
                    break
    for filters in ({f"{time}__from": "5"}, {time: "7"}, {f"{time}__to": "9"}):
        yield page(database, Question(name, filters, as_of=8, sight=SEES), total=True)
    yield "".join(csv(database, Question(name, history=True, fields=tuple(columns[:2]), sight=SEES)))


def hidden(connection: sa.Connection, table: sa.Table) -> list[dict[str, Any]]:
    all_ = [dict(r) for r in connection.execute(sa.select(table)).mappings()]
    shown = [dict(r) for r in connection.execute(sa.select(table).where(*SEES.rows(table))).mappings()]
    return [r for r in all_ if r not in shown]


def strange(table: sa.Table, row: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """A row like this one that is nobody's: every word new, at a place where none is."""
    words = {c.name: rng.randbytes(c.type.length or 32) for c in table.columns if isinstance(c.type, sa.LargeBinary)}
    made = {**row, **words}
    if "position" in made:
        made["position"] = rng.randrange(1, 60) << 24 | rng.randrange(1000, 10**6)
    return made


@pytest.mark.parametrize("name", [r.name for r in RELATIONS if r.name not in COMMON])
def test_a_hidden_row_never_changes_what_is_seen(name: str, mirror: Database) -> None:
    table, rng = TABLES[name], random.Random(name)
    before = list(seen(mirror, name))
    changed = 0
    for _ in range(4):
        with mirror.write() as connection:
            for row in hidden(connection, table):
                if rng.random() < 0.4:
                    key = sa.and_(*(c == row[c.name] for c in table.primary_key))
                    connection.execute(sa.delete(table).where(key))
                    changed += 1
                if rng.random() < 0.4:
                    connection.execute(sa.insert(table).values(**strange(table, row, rng)))
                    changed += 1
        assert list(seen(mirror, name)) == before
    assert changed > 0


def test_own_rows_are_seen_and_everything_has_an_owner(mirror: Database) -> None:
    assert {r.name for r in RELATIONS} == COMMON - {"block"} | set(OWN) | {"event", "consent"}
    for name, columns in OWN.items():
        found = page(mirror, Question(name, history=True, sight=SEES), limit=1000).rows
        everything = page(mirror, Question(name, history=True), limit=1000).rows
        mine_ = "0x" + ME.id.hex()
        assert found == [r for r in everything if mine_ in {r[c] for c in columns}]
    events = page(mirror, Question("event", sight=SEES), limit=1000).rows
    assert 0 < len(events) < len(page(mirror, Question("event"), limit=1000).rows)


def test_no_view_is_wider_than_another(mirror: Database) -> None:
    """Who belongs to no organisation of the alliance sees what is common and nothing else."""
    for name in TABLES:
        found = page(mirror, Question(name, history=True, sight=Sight(bytes(31) + b"\x09")), limit=1000).rows
        assert bool(found) == (name in COMMON or name == "event"), name
        assert {r["contract"] for r in found if "args" in r} <= {"Alliance", "Schema", "Registry"}
    assert set(HIDDEN_COLUMNS) == {"block"}
