"""docs/conformance.md names every case there is, and none that failed."""

from __future__ import annotations

import re

from tests.conformance.table import CASE, DRIVERS, FAILED, HERE, PAGE, page, results


def test_the_page_names_every_case() -> None:
    sources = "\n".join(p.read_text("utf-8") for p in HERE.glob("test_*.py"))
    written = {m.group(1) for m in re.finditer(r"^def test_(c\d{3})_", sources, re.MULTILINE)}
    listed = set(re.findall(r"^\| (c\d{3}) \|", PAGE.read_text("utf-8"), re.MULTILINE))
    assert len(written) > 90
    assert listed == written


def test_no_listed_case_failed() -> None:
    assert FAILED not in PAGE.read_text("utf-8").split("| --- |")[1]


def test_one_failed_variant_fails_the_case() -> None:
    told = results([("test_c001_a[memory-x]", "✓"), ("test_c001_a[memory-y]", "✗"), ("test_c001_a[evm-x]", "✓"), ("other", "✗")])
    assert told == {("c001", "a"): {"memory": "✗", "evm": "✓"}}
    assert "| c001 | a | ✗ | ✓ | – | – |" in page(told)
    assert CASE.match("test_c120_b[validators]")
    assert set(DRIVERS) == {"memory", "evm", "validators", "fabric"}
