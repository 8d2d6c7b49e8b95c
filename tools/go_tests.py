"""The Go tests of the chaincode, then every fuzz target for a fixed number of inputs, with a closing line like pytest's.

``go test`` says nothing that adds up to a number, and its exit code is 0 where nothing ran: both are mended here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "chaincode"
INPUTS = 5_000
"""Per fuzz target. A number and not seconds: a deadline that falls into the engine's own work counts as a failure there."""
LIMIT_SECONDS = 600


def main() -> int:
    """Exit code 1 when something failed or nothing ran."""
    counted: Counter[str] = Counter()
    targets = run_tests(counted)
    for package, name in targets:
        counted[fuzz(package, name)] += 1
    print(f"{counted['pass']} passed, {counted['fail']} failed, {counted['skip']} skipped")
    return 0 if counted["pass"] and not counted["fail"] and targets else 1


def run_tests(counted: Counter[str]) -> list[tuple[str, str]]:
    """All tests and the seeds of the fuzz targets; the targets as (package, name)."""
    said: dict[tuple[str, str], list[str]] = {}
    targets = []
    for event in go_test("-json", "./..."):
        key = (event.get("Package") or event.get("ImportPath", ""), event.get("Test", ""))
        action = event["Action"]
        if action in ("output", "build-output"):
            said.setdefault(key, []).append(event["Output"])
        if action in ("fail", "build-fail"):
            sys.stdout.write("".join(said.get(key, [])))
        if action in ("pass", "fail", "skip") and key[1]:
            counted[action] += 1
        if action == "pass" and key[1].startswith("Fuzz") and "/" not in key[1]:
            targets.append(key)
        if action == "build-fail":
            counted["fail"] += 1
    return targets


def go_test(*arguments: str) -> list[dict[str, str]]:
    """Events of ``go test -json``. What is no event (a module that cannot be fetched) is a failure."""
    command = ["go", "test", "-count=1", "-timeout", f"{LIMIT_SECONDS}s", *arguments]
    done = subprocess.run(command, cwd=HERE, capture_output=True, encoding="utf-8", check=False)
    sys.stdout.write(done.stderr)
    events: list[dict[str, str]] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode and not any(e["Action"] in ("fail", "build-fail") for e in events):
        events.append({"Action": "build-fail"})
    return events


def fuzz(package: str, name: str) -> str:
    """pass or fail. An input that fails is kept by Go under testdata/fuzz, where the tests find it again; an engine that ended
    without one (its workers starve on a busy machine) is asked once more."""
    effort = [f"-fuzztime={INPUTS}x", "-fuzzminimizetime=1000x", "-parallel=2"]
    command = ["go", "test", "-run=^$", f"-fuzz=^{name}$", *effort, package]
    for _ in range(2):
        done = subprocess.run(command, cwd=HERE, capture_output=True, encoding="utf-8", check=False, timeout=LIMIT_SECONDS)
        if not done.returncode:
            return "pass"
        sys.stdout.write(done.stdout + done.stderr)
        if "Failing input written" in done.stdout:
            break
    return "fail"


if __name__ == "__main__":
    sys.exit(main())
