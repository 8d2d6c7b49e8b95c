"""docs/invariants.md names only tests that exist, and names some for every promise."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "invariants.md").read_text("utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
PROMISES = {int(part.partition(".")[0]): part for part in re.split(r"^## ", PAGE, flags=re.M) if part[:1].isdigit()}
DECIDES = ("core", "gateway", "offchain")


@cache
def names_in(path: Path) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text("utf-8"))
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test_"))


def test_every_test_named_exists() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) > 100
    assert [f"{file}::{name}" for file, name in named if name not in names_in(ROOT / file)] == []


def test_nothing_named_is_written_in_another_way() -> None:
    """A name this test does not understand would not be checked."""
    assert PAGE.count("::test_") == len(NAMED.findall(PAGE))


@pytest.mark.parametrize("promise", range(1, 12))
def test_every_promise_has_a_test(promise: int) -> None:
    assert NAMED.search(PROMISES[promise]), f"promise {promise} has no test"


def test_every_bad_day_has_a_test() -> None:
    rows = [line for line in PAGE.partition("## Bad days")[2].partition("\n## ")[0].splitlines() if line.startswith("| ")][1:]
    days = [row for row in rows if not row.startswith("| ---")]
    assert len(days) >= 20
    assert [row for row in days if not NAMED.search(row)] == []


def test_nothing_that_decides_knows_the_mirror() -> None:
    """A permission decided from a copy would be the copy's to give."""
    found = []
    for file in (f for folder in DECIDES for f in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            found += [str(file) for name in names if name.partition(".")[0] == "mirror"]
    assert found == []
