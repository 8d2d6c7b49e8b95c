"""Typed access to ``vocabulary.json``: purposes (HL7 PurposeOfUse), categories and roles with their numbers and names.

The numbers are bit positions in consent words and never change; new entries get new numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.errors import UnknownCode

Group = Literal["purposes", "categories", "roles"]


@dataclass(frozen=True, slots=True)
class Term:
    """One vocabulary entry: number (bit position), code, Chinese and English name."""

    n: int
    code: str
    zh: str
    en: str


class Terms:
    """The entries of one group, by code and by number."""

    def __init__(self, group: Group, entries: Iterable[dict[str, object]]) -> None:
        self.group = group
        self.terms = tuple(Term(int(str(e["n"])), str(e["code"]), str(e["zh"]), str(e["en"])) for e in entries)
        if [t.n for t in self.terms] != list(range(len(self.terms))):
            raise ValueError(f"vocabulary.json: numbers of {group} must be 0, 1, 2 … without gaps")
        self._by_code = {t.code: t for t in self.terms}

    def __len__(self) -> int:
        return len(self.terms)

    def by_code(self, code: str) -> Term:
        """The entry with this code; UnknownCode if there is none."""
        term = self._by_code.get(code)
        if term is None:
            raise UnknownCode(group=self.group, value=code)
        return term

    def by_number(self, n: int) -> Term:
        """The entry with this number; UnknownCode if there is none."""
        if not 0 <= n < len(self.terms):
            raise UnknownCode(group=self.group, value=n)
        return self.terms[n]

    def bits(self, codes: Iterable[str]) -> int:
        """Bit set of these codes."""
        result = 0
        for code in codes:
            result |= 1 << self.by_code(code).n
        return result

    def codes(self, bits: int) -> list[str]:
        """Codes of a bit set, ascending by number; UnknownCode if a bit has no entry."""
        if bits >> len(self.terms):
            raise UnknownCode(group=self.group, value=f"bit {bits.bit_length() - 1}")
        return [t.code for t in self.terms if bits >> t.n & 1]


_DOCUMENT = json.loads(Path(__file__).with_name("vocabulary.json").read_text("utf-8"))
PURPOSES = Terms("purposes", _DOCUMENT["purposes"])
CATEGORIES = Terms("categories", _DOCUMENT["categories"])
ROLES = Terms("roles", _DOCUMENT["roles"])


def purpose_number(code: str) -> int:
    """Number of a purpose, e.g. ``TREAT`` → 0."""
    return PURPOSES.by_code(code).n


def purpose_code(n: int) -> str:
    """Code of a purpose number."""
    return PURPOSES.by_number(n).code


def category_number(code: str) -> int:
    """Number of a category, e.g. ``laboratory`` → 3."""
    return CATEGORIES.by_code(code).n


def category_code(n: int) -> str:
    """Code of a category number."""
    return CATEGORIES.by_number(n).code


def role_number(code: str) -> int:
    """Bit number of a role, e.g. ``physician`` → 0."""
    return ROLES.by_code(code).n


def role_code(n: int) -> str:
    """Code of a role number."""
    return ROLES.by_number(n).code
