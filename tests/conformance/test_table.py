"""docs/conformance.md names every case there is, and none that failed."""

from __future__ import annotations

from tests.conformance.table import CASE, DRIVERS, FAILED, NOT_RUN, PAGE, Results, merged, page, results, shown, written


def test_the_page_names_every_case() -> None:
    cases = written()
    assert len(cases) >= 150
    assert len({number for number, _ in cases}) == len(cases)
    assert set(shown(PAGE.read_text("utf-8"))) == cases


def test_no_listed_case_failed_or_waits() -> None:
    assert not {FAILED, NOT_RUN} & {mark for row in shown(PAGE.read_text("utf-8")).values() for mark in row.values()}


def test_a_run_of_some_drivers_keeps_what_the_others_said() -> None:
    before: Results = {
        ("c001", "a"): {"memory": "✓", "evm": "✓", "validators": "✓", "fabric": "✗"},
        ("c002", "gone"): {"evm": "✓"},
    }
    after = merged(before, {("c001", "a"): {"memory": "✗"}}, ["memory", "evm"], {("c001", "a"), ("c003", "new")})
    assert after[("c001", "a")] == {"memory": "✗", "evm": "–", "validators": "✓", "fabric": "✗"}
    assert after[("c003", "new")] == {"memory": "–", "evm": "–", "validators": "?", "fabric": "?"}
    assert ("c002", "gone") not in after
    assert shown(page(after)) == after


def test_one_failed_variant_fails_the_case() -> None:
    told = results([("test_c001_a[memory-x]", "✓"), ("test_c001_a[memory-y]", "✗"), ("test_c001_a[evm-x]", "✓"), ("other", "✗")])
    assert told == {("c001", "a"): {"memory": "✗", "evm": "✓"}}
    assert "| c001 | a | ✗ | ✓ | – | – |" in page(told)
    assert CASE.match("test_c120_b[validators]")
    assert set(DRIVERS) == {"memory", "evm", "validators", "fabric"}
