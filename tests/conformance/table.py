"""docs/conformance.md: every case on every driver, from runs of them. ``python -m tests.conformance.table`` runs all,
``… table memory evm`` only these drivers; the page's other columns stay, and a case that a driver has not run yet says so."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "conformance.md"
DRIVERS = ("memory", "evm", "validators", "fabric")
PASSED, FAILED, NOT_THERE, NOT_RUN = "✓", "✗", "–", "?"
MARKS = {"memory": "not node and not validators and not fabric", "evm": "node", "validators": "validators", "fabric": "fabric"}
ROW = re.compile(r"^\| (c\d{3}) \| (.*?) \| (.*) \|$", re.MULTILINE)
CASE = re.compile(r"test_(c\d{3})_(\w+)(?:\[(.*)\])?$")

HEAD = """# Conformance: one behaviour, every ledger

Each row is a numbered case of `tests/conformance`, written once and run through the ledger port. `memory` is the in-memory
double, `evm` the embedded node, `validators` four EVM validators, `fabric` a Hyperledger Fabric network of three organisations.
✓ held, ✗ did not, – the ledger has no such thing (nonces and old states on Fabric, state put in beside the contracts on a
consortium), or the case compares the ledger with the double.

Made by `python -m tests.conformance.table`, which runs all of it (with names of drivers: these columns); a test checks that no
case is missing here, none failed, and none waits to be run.

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


def shown(text: str) -> Results:
    """What a page says."""
    rows = {(case, said.replace(" ", "_")): marks.split(" | ") for case, said, marks in ROW.findall(text)}
    return {case: dict(zip(DRIVERS, marks, strict=True)) for case, marks in rows.items()}


def merged(before: Results, found: Results, drivers: Sequence[str], cases: Iterable[tuple[str, str]]) -> Results:
    """The cases there are: new marks for the drivers that ran, the marks before for the others."""
    made: Results = {}
    for case in sorted(cases):
        new = {d: found.get(case, {}).get(d, NOT_THERE) for d in drivers}
        made[case] = {d: NOT_RUN for d in DRIVERS} | before.get(case, {}) | new
    return made


def written() -> set[tuple[str, str]]:
    """Every case in the sources, with what it says."""
    sources = "\n".join(p.read_text("utf-8") for p in HERE.glob("test_*.py"))
    return set(re.findall(r"^def test_(c\d{3})_(\w+)", sources, re.MULTILINE))


def run(drivers: Sequence[str]) -> list[tuple[str, str]]:
    """Run every case on these drivers; (test name, mark) of each."""
    chosen = " or ".join(f"({MARKS[d]})" for d in drivers)
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        command = [sys.executable, "-m", "pytest", "-q", str(HERE), "-m", chosen, f"--junitxml={report.name}"]
        subprocess.run(command, check=False)
        cases = ElementTree.parse(report.name).iter("testcase")  # noqa: S314  our own report
        return [(case.attrib["name"], _mark(case)) for case in cases]


def _mark(case: ElementTree.Element) -> str:
    tags = {child.tag for child in case}
    if tags & {"failure", "error"}:
        return FAILED
    return NOT_THERE if "skipped" in tags else PASSED


if __name__ == "__main__":
    chosen = sys.argv[1:] or DRIVERS
    found = results(run(chosen))
    PAGE.write_text(page(merged(shown(PAGE.read_text("utf-8")), found, chosen, written())), "utf-8")
    raise SystemExit(any(FAILED in row.values() for row in found.values()))
