"""The one byte form of a JSON value: RFC 8785 over NFC text.

Everything that is hashed or signed as JSON goes through :func:`canonical`. Values that another language would read differently
are refused rather than rounded: NaN and infinities, integers beyond ±2^53, lone surrogates, keys that collide after
normalisation.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, TypeAlias

import orjson
import rfc8785

from core.errors import NotCanonical

JSON: TypeAlias = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None
MAX_INTEGER = 2**53
MAX_DEPTH = 64
_SURROGATE = re.compile("[\ud800-\udfff]")


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of ``value`` with all text in NFC. Raises NotCanonical."""
    if _plain(value, 0):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    try:
        return rfc8785.dumps(_normal(value, 0))
    except rfc8785.CanonicalizationError as e:
        raise NotCanonical(detail=str(e)) from e


def _plain(value: Any, depth: int) -> bool:
    """Whether a faster encoder gives the same bytes: no floats, text in NFC already, ASCII keys (ordered the same by byte as by
    UTF-16 unit). Gates and intake canonicalise tens of values a record."""
    kind = type(value)  # exactly: what inherits from these is left to the careful way
    if kind is str:
        return bool(value.isascii() or (unicodedata.is_normalized("NFC", value) and not _SURROGATE.search(value)))
    if kind is int:
        return bool(-MAX_INTEGER < value < MAX_INTEGER)
    if depth >= MAX_DEPTH:
        return False
    if kind is dict:
        return all(type(k) is str and k.isascii() and _plain(v, depth + 1) for k, v in value.items())
    if kind is list:
        return all(_plain(v, depth + 1) for v in value)
    return value is None or kind is bool


def nfc(text: str) -> str:
    """Text in Unicode normalisation form C; NotCanonical for a lone surrogate."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as e:
        raise NotCanonical(detail="a lone surrogate is not text") from e
    return unicodedata.normalize("NFC", text)


def _normal(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return nfc(value)
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _float(value)
    if depth >= MAX_DEPTH:
        raise NotCanonical(detail=f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, list | tuple):
        return [_normal(v, depth + 1) for v in value]
    if isinstance(value, dict):
        return _object(value, depth)
    raise NotCanonical(detail=f"{type(value).__name__} is not JSON")


def _integer(value: int) -> int:
    if abs(value) >= MAX_INTEGER:
        raise NotCanonical(detail="integers beyond 2^53 are written as text")
    return int(value)


def _float(value: float) -> float:
    if value != value or value in (float("inf"), float("-inf")):
        raise NotCanonical(detail="NaN and infinities are not JSON")
    if MAX_INTEGER <= abs(value) < 1e21:
        # Below 1e21 it would be written without an exponent, and read back as an integer that we refuse.
        raise NotCanonical(detail="integers beyond 2^53 are written as text")
    return value


def _object(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    result = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise NotCanonical(detail="keys of an object are text")
        normal = nfc(key)
        if normal in result:
            raise NotCanonical(detail=f"key {normal!r} appears twice after normalisation")
        result[normal] = _normal(item, depth + 1)
    return result
