"""Key files: only the passphrase opens them, nothing in them can be changed, a hostile one cannot hang the reader."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from core import crypto, keyfile
from core.errors import Malformed
from core.keyfile import WrongPassphrase

KEY = crypto.sm2_generate()


@pytest.fixture(scope="module")
def locked() -> dict[str, Any]:
    return keyfile.lock(KEY, "subject:0x" + "ab" * 32, "王小明", "一二三四五六七八")


def test_opens_with_the_passphrase_only(locked: dict[str, Any]) -> None:
    assert keyfile.unlock(locked, "一二三四五六七八") == KEY
    with pytest.raises(WrongPassphrase):
        keyfile.unlock(locked, "一二三四五六七九")
    assert KEY.private.hex() not in str(locked)


@pytest.mark.parametrize("member", ["keyid", "publicKey"])
def test_what_the_file_says_is_bound_to_the_key(locked: dict[str, Any], member: str) -> None:
    other = "subject:0x" + "cd" * 32 if member == "keyid" else "0x" + crypto.sm2_generate().public.hex()
    with pytest.raises(WrongPassphrase):
        keyfile.unlock({**locked, member: other}, "一二三四五六七八")


@pytest.mark.parametrize("cost", [{"n": 2**30}, {"n": 2**16 + 1}, {"n": 2}, {"r": 1000}, {"p": 10**6}, {"name": "none"}])
def test_costs_outside_the_limits_are_refused_before_work(locked: dict[str, Any], cost: dict[str, Any]) -> None:
    hostile = copy.deepcopy(locked)
    hostile["kdf"] |= cost
    with pytest.raises(Malformed, match="not_a_key_file"):
        keyfile.unlock(hostile, "一二三四五六七八")


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(Malformed, match="passphrase_short"):
        keyfile.lock(KEY, "subject:0x", "x", "1234567")
