"""The command line."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from .read import parse_json
from .report import VERDICTS
from .verdict import HOSTILE, verify


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Check a healthtrust proof bundle offline.")
    parser.add_argument("bundle", help="proof bundle (JSON file)")
    parser.add_argument("--trust", help="checkpoint (JSON file) from somebody you trust")
    parser.add_argument("--lang", choices=("zh", "en"), default="en")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    given = parser.parse_args(arguments)
    try:
        bundle = _read(given.bundle)
        trust = _read(given.trust) if given.trust else None
    except (OSError, *HOSTILE) as e:
        print(f"{VERDICTS[2][0 if given.lang == 'zh' else 1]} {e}", file=sys.stderr)
        return 2
    report = verify(bundle, trust)
    print(json.dumps(report.to_json(), ensure_ascii=False, indent=1) if given.json else report.text(given.lang))
    return report.exit_code


def _read(path: str) -> Any:
    with open(path, encoding="utf-8") as f:
        return parse_json(f.read())
