"""Questions to the tables: pages that fit together, filters that bind, and nothing that gets through to SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.errors import Malformed
from mirror.database import Database
from mirror.query import TABLES, tables
from tests.mirror.support import dump, follower, told


@pytest.fixture
def mirror(database_url: str) -> Database:
    live = follower(told(4, 80), database_url)
    live.catch_up()
    return live.database


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("sort", ["", "-"])
def test_pages_cover_a_table_once(name: str, sort: str, mirror: Database) -> None:
    column = "height" if "height" in TABLES[name].c else "valid_from"
    for by in ("", sort + column):
        seen: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = tables(mirror, name, sort=by, cursor=cursor, limit=7, history=True)
            seen += page.rows
            cursor = page.next
            if cursor is None:
                break
        assert len(seen) == len(dump(mirror)[name])
        assert len({tuple(r.items()) for r in seen}) == len(seen)
        if by:
            heights = [r[column] for r in seen]
            assert heights == sorted(heights, reverse=by.startswith("-"))


def test_filters(mirror: Database) -> None:
    everything = tables(mirror, "event", limit=1000).rows
    grants = tables(mirror, "event", {"event": "ConsentGranted", "height__from": "10", "height__to": "40"}, limit=1000).rows
    assert grants == [r for r in everything if r["event"] == "ConsentGranted" and 10 <= r["height"] <= 40] != []
    consent = tables(mirror, "consent").rows[0]
    assert tables(mirror, "consent", {"consent": consent["consent"]}).rows == [consent]
    assert tables(mirror, "consent", {"consent": consent["consent"][2:]}).rows == [consent]


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("sqlite_master", {}),
        ("cursor", {}),
        ("event; DROP TABLE event", {}),
        ("event", {"filters": {"nothing": "1"}}),
        ("event", {"filters": {"height": "1 OR 1=1"}}),
        ("event", {"filters": {"height__like": "1"}}),
        ("consent", {"filters": {"consent": "0xzz"}}),
        ("event", {"sort": "height; DROP TABLE event"}),
        ("consent", {"sort": "valid_to"}),
        ("event", {"cursor": "AAAA"}),
        ("event", {"cursor": "WyJjb25zZW50IiwgIiIsIFsxXV0="}),
        ("event", {"cursor": "WyJldmVudCIsICIiLCBbXV0="}),
        ("event", {"cursor": "WyJldmVudCIsICIiLCBbeyJhIjoxfV1d"}),
    ],
)
def test_anything_else_is_refused(name: str, question: dict[str, Any], mirror: Database) -> None:
    with pytest.raises(Malformed):
        tables(mirror, name, **question)


def test_odd_values_are_values(mirror: Database) -> None:
    assert tables(mirror, "event", {"event": "'; DROP TABLE event; --\0"}).rows == []
    assert tables(mirror, "event", {"height": str(10**40)}).rows == []
    assert tables(mirror, "event", limit=10**9).rows
    assert len(tables(mirror, "event", limit=-5).rows) == 1


def test_an_empty_mirror_answers(tmp_path: Path) -> None:
    database = follower(told(1, 1), f"sqlite:///{tmp_path / 'a.db'}").database
    page = tables(database, "consent")
    assert (page.rows, page.next, page.height) == ([], None, -1)
