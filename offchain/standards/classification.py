"""Which codes are more private than the document type they come in.

A depression score arrives as a survey and a violent partner as a diagnosis; a resident who opens "diagnoses" to a dentist has not
opened those. ``classification.json`` names the codes (``*`` at the end = everything that starts so) and the category they go to.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from core.vocabulary import category_number

_Table = dict[tuple[str, str], int]


@cache
def _tables() -> tuple[_Table, list[tuple[str, str, int]]]:
    document = json.loads(Path(__file__).with_name("classification.json").read_text("utf-8"))
    exact: _Table = {}
    prefixes: list[tuple[str, str, int]] = []
    for category, systems in document.items():
        for system, codes in systems.items():
            for code in codes:
                if code.endswith("*"):
                    prefixes.append((system, code[:-1], category_number(category)))
                else:
                    exact[system, code] = category_number(category)
    return exact, prefixes


def category_of(system: str, code: str) -> int | None:
    """Number of the more private category of a code, or None when the document type's own category stands."""
    exact, prefixes = _tables()
    found = exact.get((system, code))
    if found is not None:
        return found
    return next((n for s, start, n in prefixes if s == system and code.startswith(start)), None)
