"""How events are kept: the same bytes as the standard's own writer, found again by every identifier, and taken out whole."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.port import Event
from mirror.events import arguments, kept, mentions_of_rows, prefix
from tests.mirror.scripted import ScriptedLedger, Story

WORDS = st.binary(min_size=32, max_size=32)
VALUES = st.one_of(WORDS, st.binary(max_size=40), st.integers(0, 2**256 - 1), st.booleans(), st.text(max_size=20))


def event(args: dict[str, Any]) -> Event:
    return Event("Consent", "Anything", args, 7, b"\1" * 32, 3, "0x" + "ab" * 32)


@given(st.dictionaries(st.sampled_from(["id", "subject", "x", "count", "flag", "text"]), VALUES, min_size=1))
def test_text_is_canonical_json_whatever_came_before(args: dict[str, Any]) -> None:
    """The template of an event's first occurrence must not leak into one whose values have other types."""
    ((row,), _) = kept([event(args)])
    assert row[-1] == arguments(args)
    assert row[-1].encode() == rfc8785.dumps(orjson.loads(row[-1]))


@given(st.dictionaries(st.sampled_from(["id", "subject", "x", "by"]), st.one_of(WORDS, st.just(bytes(32))), min_size=1))
def test_mentions_are_taken_out_as_they_were_put_in(args: dict[str, Any]) -> None:
    rows, mentions = kept([event(args)])
    assert mentions == mentions_of_rows(rows)


def test_every_event_of_the_story_is_found_and_taken_out_again() -> None:
    ledger = ScriptedLedger()
    story = Story(ledger, random.Random(3))
    for _ in range(80):
        ledger.extend(story.block())
        events = ledger.chain[-1][1]
        rows, put = kept(events)
        assert set(put) <= set(mentions_of_rows(rows))
        for e in events:
            words = [v for n, v in e.args.items() if n in ("consent", "subject", "organisation", "id", "root", "digest")]
            assert {prefix(w) for w in words} <= {p for p, _ in put}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**53 - 1, "9007199254740991"),
        (2**53, '"0x' + f"{2**53:064x}" + '"'),
        (-1, "-1"),
        ("0xAB" + "cd" * 19, '"0xab' + "cd" * 19 + '"'),
        (b"\xff" * 1025, '{"bytes":1025,"sm3":"0x'),
        ("a\ud800", '"a\ufffd"'),
        (True, "true"),
    ],
)
def test_values_as_text(value: Any, text: str) -> None:
    assert arguments({"v": value}).startswith('{"v":' + text)
