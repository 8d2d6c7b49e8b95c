"""The page of figures is made from its numbers."""

from __future__ import annotations

import json

from benches.__main__ import BENCHES, DOCS, growth, page


def test_the_page_is_what_its_numbers_make() -> None:
    rows = json.loads((DOCS / "benchmarks.json").read_text("utf-8"))
    assert (DOCS / "benchmarks.md").read_text("utf-8") == page(rows)
    assert {r["bench"] for r in rows} <= set(BENCHES)
    for row in rows:
        assert row["command"].startswith(f"python -m benches {row['bench']}"), row["id"]


def test_growth_shows_rows_that_differ_in_their_size_alone() -> None:
    figures = {"10,000": 10.0, "1,000,000": 12.0}
    rows = [{"id": f"C {size} events", "unit": "events/s", "figure": f} for size, f in figures.items()]
    alone = {"id": "D 10,000 consents", "unit": "/s", "figure": 1.0}
    assert "| C n events | events/s | 10 | – | 12 |\n" in growth([*rows, alone])
    assert "D n consents" not in growth([*rows, alone])
    assert growth([alone]) == ""
