"""Small modules: hex, words, ids, vocabulary, errors."""

from __future__ import annotations

import inspect

import pytest

from core import errors, hexes, ids, vocabulary
from core.decision import Reason
from core.errors import HealthTrustError, KeyMalformed, Malformed, NotFound, UnknownCode
from core.words import exact, kind_word, split, u8, u32, u64, word


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "0x0",
        "00" * 32,
        "0X" + "00" * 32,
        "0x" + "AB" * 32,
        "0x" + "0g" * 32,
        "0x" + "00" * 31,
        5,
        None,
        "0x" + "００" * 32,
    ],
)
def test_hex_is_strict(text: object) -> None:
    with pytest.raises(Malformed):
        hexes.to_bytes(text)


def test_hex_round_trip() -> None:
    assert hexes.to_bytes(hexes.to_hex(b"\xab" * 32)) == b"\xab" * 32
    assert hexes.to_bytes("0x", None) == b""


def test_words_refuse_what_does_not_fit() -> None:
    for call in (
        lambda: word(-1),
        lambda: word(2**256),
        lambda: word(bytes(33)),
        lambda: u8(256),
        lambda: u32(-1),
        lambda: u64(2**64),
        lambda: kind_word(""),
        lambda: kind_word("x" * 33),
        lambda: exact(b"x"),
        lambda: split(b"x"),
    ):
        with pytest.raises(Malformed):
            call()
    assert word(b"\1" * 20) == bytes(12) + b"\1" * 20


def test_ids_separate_their_parts() -> None:
    key = b"k" * 32
    assert ids.record_id(key, "a", "bc") != ids.record_id(key, "ab", "c")
    assert ids.subject_id(key, "e\u0301", "1") == ids.subject_id(key, "\u00e9", "1")
    for bad in ("", "a\0b"):
        with pytest.raises(Malformed):
            ids.record_id(key, bad, "1")
    with pytest.raises(Malformed):
        ids.organisation_id("")
    with pytest.raises(Malformed):
        ids.subject_id(b"short", "a", "b")
    with pytest.raises(Malformed):
        ids.consent_id(key, ids.MAX_USES + 1)
    assert len({ids.random32() for _ in range(10)}) == 10


def test_vocabulary() -> None:
    assert (
        vocabulary.purpose_number("TREAT"),
        vocabulary.category_number("laboratory"),
        vocabulary.role_number("physician"),
    ) == (0, 3, 0)
    assert (vocabulary.purpose_code(4), vocabulary.category_code(15), vocabulary.role_code(7)) == (
        "PATRQT",
        "social-history",
        "resident",
    )
    assert vocabulary.PURPOSES.codes(0b101) == ["TREAT", "CAREMGT"]
    assert vocabulary.PURPOSES.bits(["CAREMGT", "TREAT"]) == 0b101
    for call in (
        lambda: vocabulary.purpose_number("x"),
        lambda: vocabulary.role_code(8),
        lambda: vocabulary.role_code(-1),
        lambda: vocabulary.PURPOSES.codes(1 << 10),
    ):
        with pytest.raises(UnknownCode):
            call()
    with pytest.raises(ValueError, match="without gaps"):
        vocabulary.Terms("roles", [{"n": 1, "code": "x", "zh": "x", "en": "x"}])


def test_every_error_is_whole() -> None:
    kinds = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, HealthTrustError)]
    assert len({c.default_code for c in kinds}) == len(kinds)
    for kind in kinds:
        e = kind(detail="d", value="v", group="g")
        problem = e.problem()
        assert 400 <= problem["status"] < 600
        assert "{" not in e.zh + e.en
        assert e.zh.endswith("。")
        assert e.en.endswith(".")
    assert NotFound("consent_not_found", "没有这份授权。", "There is no such consent.").code == "consent_not_found"
    assert KeyMalformed(detail="{detail}").params == {"detail": "{detail}"}


def test_every_reason_is_explained() -> None:
    for reason in Reason:
        assert reason.zh.endswith("。")
        assert reason.en.endswith(".")
