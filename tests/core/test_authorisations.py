"""One hash over what a ledger authorises: independent of order, sensitive to every field, the same on any ledger."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import crypto, merkle
from core.authorisations import IndexHead, LiveConsent, authorisations
from core.errors import Malformed

words = st.binary(min_size=32, max_size=32)
u64, u32 = st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1)
consents = st.builds(LiveConsent, words, words, words, u64, u64, u32, u32)
heads = st.builds(IndexHead, words, u64, u64, words)
sets = st.tuples(
    st.lists(consents, max_size=6, unique_by=lambda c: c.consent), st.lists(heads, max_size=4, unique_by=lambda h: h.organisation)
)

ONE = LiveConsent(b"\1" * 32, b"\2" * 32, b"\3" * 32, 10, 20, 5, 1)
HEAD = IndexHead(b"\4" * 32, 2, 300, b"\5" * 32)


@given(sets, st.randoms(use_true_random=False))
def test_order_does_not_matter(both: tuple[list[LiveConsent], list[IndexHead]], random: object) -> None:
    live, indexes = both
    assert authorisations(reversed(live), reversed(indexes)) == authorisations(live, indexes)


@pytest.mark.parametrize("name", [f.name for f in fields(LiveConsent)])
def test_every_field_of_a_consent_counts(name: str) -> None:
    value = getattr(ONE, name)
    other = replace(ONE, **{name: value + 1 if isinstance(value, int) else b"\x99" * 32})
    assert authorisations([other], [HEAD]).digest != authorisations([ONE], [HEAD]).digest


@pytest.mark.parametrize("name", [f.name for f in fields(IndexHead)])
def test_every_field_of_an_index_counts(name: str) -> None:
    value = getattr(HEAD, name)
    other = replace(HEAD, **{name: value + 1 if isinstance(value, int) else b"\x99" * 32})
    assert authorisations([ONE], [other]).digest != authorisations([ONE], [HEAD]).digest


def test_the_bytes_are_those_of_the_page() -> None:
    """docs/formats.md §13, written out by hand."""
    consent = b"healthtrust/live-consent/v1".ljust(32, b"\0") + b"\1" * 32 + b"\2" * 32 + b"\3" * 32
    consent += (10).to_bytes(8, "big") + (20).to_bytes(8, "big") + (5).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes(8)
    index = b"healthtrust/index-head/v1".ljust(32, b"\0") + b"\4" * 32 + b"\5" * 32
    index += (2).to_bytes(8, "big") + (300).to_bytes(8, "big") + bytes(16)
    roots = crypto.sm3(b"\0" + consent) + crypto.sm3(b"\0" + index)
    sizes = (1).to_bytes(8, "big") * 2 + bytes(16)
    assert authorisations([ONE], [HEAD]).digest == crypto.sm3(b"healthtrust/authorisations/v1".ljust(32, b"\0") + roots + sizes)


def test_nothing_authorised_has_a_digest_too() -> None:
    nothing = authorisations([], [])
    assert (nothing.consents_root, nothing.indexes_root) == (merkle.EMPTY, merkle.EMPTY)
    assert nothing.digest != authorisations([ONE], []).digest


@pytest.mark.parametrize("both", [([ONE, replace(ONE, uses=2)], []), ([], [HEAD, replace(HEAD, batches=9)])])
def test_two_stories_about_one_consent_are_refused(both: tuple[list[LiveConsent], list[IndexHead]]) -> None:
    with pytest.raises(Malformed, match="twice"):
        authorisations(*both)
