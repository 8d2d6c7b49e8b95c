"""All checks of a bundle, and the verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .checks import Checks
from .read import Malformed, Missing, part_of
from .report import Line, Report
from .words import IN_EMERGENCY, MANDATORY, MISSING, NOT_SHOWN, TEXTS

_ORDER: tuple[tuple[str, Callable[[Checks], bool]], ...] = (
    ("record", Checks.record),
    ("withheld", Checks.withheld),
    ("entry", Checks.entry_matches),
    ("index", Checks.index),
    ("request", Checks.request),
    ("request_body", Checks.request_body),
    ("consent", Checks.consent),
    ("decision", Checks.decision),
    ("fields", Checks.fields),
    ("receipt", Checks.receipt_matches),
    ("receipt_content", Checks.receipt_content),
    ("receipt_group", Checks.receipt_group),
    ("receipt_anchor", Checks.receipt_anchor),
    ("ledger_index", Checks.ledger_index),
    ("ledger_consent", Checks.ledger_consent),
    ("ledger_members", Checks.ledger_members),
    ("ledger_credential", Checks.ledger_credential),
    ("ledger_subject", Checks.ledger_subject),
    ("ledger_custodian", Checks.ledger_custodian),
    ("ledger_receipt", Checks.ledger_receipt),
    ("ledger_time", Checks.ledger_time),
    ("trust", Checks.trusted),
)

# What hostile input can make a check raise: each means that the line does not hold.
HOSTILE = (
    Malformed,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    ArithmeticError,
)


def verify(bundle: Any, trust: Any = None) -> Report:
    """Check a bundle (parsed JSON) against a checkpoint (parsed JSON) or None. Never raises on any input."""
    try:
        if part_of(bundle, "kind") != "healthtrust/proof-bundle" or part_of(bundle, "version") != 1:
            raise Malformed("kind")
        checks = Checks(bundle, trust)
    except HOSTILE:
        line = Line(False, "bundle", "这不是第 1 版的健康信任证明包", "This is not a healthtrust proof bundle of version 1")
        return Report([line], 2)
    lines = [_line(code, check, checks) for code, check in _ORDER]
    if any(line.ok is False for line in lines):
        return Report(lines, 1)
    missing = any(line.ok is None and line.code in MANDATORY for line in lines)
    return Report(lines, 3 if missing else 0)


def _line(code: str, check: Callable[[Checks], bool], checks: Checks) -> Line:
    zh, en = (IN_EMERGENCY if checks.emergency else {}).get(code, TEXTS[code])
    try:
        ok = check(checks)
    except Missing:
        why = NOT_SHOWN.get(code, MISSING)
        return Line(None, code, f"未证明：{zh}——{why[0]}", f"Not shown: {en} ({why[1]})")
    except HOSTILE:
        ok = False
    return Line(True, code, zh, en) if ok else Line(False, code, f"不成立：{zh}", f"FALSE: {en}")
