"""docs/conformance.md: every case on every driver, from one run of all of them. ``python -m tests.conformance.table``."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "conformance.md"
DRIVERS = ("memory", "evm", "validators", "fabric")
PASSED, FAILED, NOT_THERE = "✓", "✗", "–"
CASE = re.compile(r"test_(c\d{3})_(\w+)(?:\[(.*)\])?$")

HEAD = """# Conformance: one behaviour, every ledger

Each row is a numbered case of `tests/conformance`, written once and run through the ledger port. `memory` is the in-memory
double, `evm` the embedded node, `validators` four EVM validators, `fabric` a Hyperledger Fabric network of three organisations.
✓ held, ✗ did not, – the ledger has no such thing (nonces and old states on Fabric, state put in beside the contracts on a
consortium), or the case compares the ledger with the double.

Made by `python -m tests.conformance.table`, which runs all of it; a test checks that no case is missing here and none failed.

"""

Results = dict[tuple[str, str], dict[str, str]]


def results(report: Iterable[tuple[str, str]]) -> Results:
    """(case, what it says) → driver → mark, from (test name, outcome) pairs; one failed variant fails the case."""
    found: Results = {}
    for name, outcome in report:
        if not (match := CASE.match(name)):
            continue
        case, said, variant = match.groups()
        driver = next((d for d in DRIVERS if d in (variant or "").split("-")), "memory")
        row = found.setdefault((case, said), {})
        row[driver] = max(row.get(driver, NOT_THERE), outcome, key=(NOT_THERE, PASSED, FAILED).index)
    return dict(sorted(found.items()))


def page(found: Results) -> str:
    """The page, Markdown."""
    lines = ["| case | what holds | " + " | ".join(DRIVERS) + " |", "| --- | --- |" + " :-: |" * len(DRIVERS)]
    for (case, said), row in found.items():
        marks = " | ".join(row.get(d, NOT_THERE) for d in DRIVERS)
        lines.append(f"| {case} | {said.replace('_', ' ')} | {marks} |")
    counts = " · ".join(f"{d} {sum(row.get(d) == PASSED for row in found.values())}" for d in DRIVERS)
    return HEAD + f"{len(found)} cases; held: {counts}.\n\n" + "\n".join(lines) + "\n"


def run() -> list[tuple[str, str]]:
    """Run every case on every driver; (test name, mark) of each."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        subprocess.run([sys.executable, "-m", "pytest", "-q", str(HERE), f"--junitxml={report.name}"], check=False)
        cases = ElementTree.parse(report.name).iter("testcase")  # noqa: S314  our own report
        return [(case.attrib["name"], _mark(case)) for case in cases]


def _mark(case: ElementTree.Element) -> str:
    tags = {child.tag for child in case}
    if tags & {"failure", "error"}:
        return FAILED
    return NOT_THERE if "skipped" in tags else PASSED


if __name__ == "__main__":
    found = results(run())
    PAGE.write_text(page(found), "utf-8")
    raise SystemExit(any(FAILED in row.values() for row in found.values()))
