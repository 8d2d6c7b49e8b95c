"""Canonical JSON (RFC 8785, NFC)."""

from __future__ import annotations

import unicodedata
from typing import Any

from .read import Malformed


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes with text in NFC."""
    return _canonical(value, 0).encode("utf-8")


def _canonical(value: Any, depth: int) -> str:
    if depth > 64:
        raise Malformed("nested too deep")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _canonical_text(value)
    if isinstance(value, int):
        if abs(value) >= 2**53:
            raise Malformed("an integer beyond 2^53")
        return str(value)
    if isinstance(value, float):
        return _canonical_float(value)
    if isinstance(value, list):
        return "[" + ",".join(_canonical(v, depth + 1) for v in value) + "]"
    members = {unicodedata.normalize("NFC", k): v for k, v in value.items()}
    if len(members) != len(value):
        raise Malformed("a key twice")
    ordered = sorted(members, key=lambda k: k.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(f"{_canonical_text(k)}:{_canonical(members[k], depth + 1)}" for k in ordered) + "}"


_ESCAPES = {0x22: '\\"', 0x5C: "\\\\", 8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}
_ESCAPES = {**{i: f"\\u{i:04x}" for i in range(32)}, **_ESCAPES}


def _canonical_text(text: str) -> str:
    return '"' + unicodedata.normalize("NFC", text).translate(_ESCAPES) + '"'


def _canonical_float(value: float) -> str:
    """ECMAScript's Number.prototype.toString."""
    if value != value or value in (float("inf"), float("-inf")) or 2**53 <= abs(value) < 1e21:
        raise Malformed("NaN, infinity, or an integer beyond 2^53")
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    return ("-" if value < 0 else "") + _place_point(digits, point)


def _place_point(digits: str, point: int) -> str:
    """``digits`` with the decimal point after ``point`` of them."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    exponent = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return digits[0] + ("." + digits[1:] if count > 1 else "") + exponent
