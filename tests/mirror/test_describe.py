"""The formats page lists exactly the relations and columns that the digest covers."""

from __future__ import annotations

from pathlib import Path

from mirror.describe import table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"


def test_the_page_lists_what_the_digest_covers() -> None:
    assert table() in PAGE.read_text("utf-8"), "run `python -m mirror.describe` and put its output into section 12"
