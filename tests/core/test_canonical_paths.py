"""The fast way to canonical JSON gives the bytes of the careful one, or the same refusal."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from core import canonical
from core.errors import NotCanonical

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=())),
    st.text(st.characters(codec="ascii")),
)
TREES = st.recursive(LEAVES, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=12)


def careful(value: Any) -> bytes | None:
    try:
        return rfc8785.dumps(canonical._normal(value, 0))
    except (NotCanonical, rfc8785.CanonicalizationError):
        return None


def given_bytes(value: Any) -> bytes | None:
    try:
        return canonical.canonical(value)
    except NotCanonical:
        return None


@settings(max_examples=400, deadline=None)
@given(TREES)
def test_both_ways_agree(value: Any) -> None:
    assert given_bytes(value) == careful(value)


def test_every_character_of_the_first_planes() -> None:
    for code in [*range(0x3000), 0xD800, 0xDFFF, 0xE000, 0xFFFD, 0x1F600, 0x10FFFF]:
        assert given_bytes(chr(code)) == careful(chr(code)), hex(code)


def test_what_inherits_from_text_and_numbers() -> None:
    class Word(StrEnum):
        A = "a"

    for value in ({Word.A: 1}, [Word.A], {"a": Word.A}):
        assert given_bytes(value) == careful(value)
