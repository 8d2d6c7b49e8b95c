"""Signed requests: one shape is accepted, everything else is refused (RFC 9421, docs/formats.md §8)."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import httpsig
from core.errors import SignatureInvalid, TooManyRequests
from tests.core.shared import raw, vectors

V = vectors("httpsig")
ROW, NOW, PUBLIC, PRIVATE = V["requests"][0], V["now"], raw(V["publicKey"]), raw(V["private"])
BODY = raw(ROW["body"])


def check(headers: dict[str, str] | None = None, **changes: Any) -> httpsig.SignedRequest:
    given = {
        "method": ROW["method"],
        "target_uri": ROW["uri"],
        "body": BODY,
        "now": NOW,
        "nonces": httpsig.MemoryNonces(0),
    } | changes
    lookup = given.pop("lookup", lambda party, _: PUBLIC if party == "practitioner" else None)
    return httpsig.parse_and_verify(
        ROW["headers"] if headers is None else headers,
        given["method"],
        given["target_uri"],
        given["body"],
        lookup,
        given["now"],
        given["nonces"],
    )


def test_it_says_who_signed() -> None:
    seen = check()
    assert (seen.party, seen.keyid, seen.public) == ("practitioner", V["keyid"], PUBLIC)
    assert seen.evidence()["base"] == ROW["base"]
    assert check({k.upper(): v for k, v in ROW["headers"].items()}) == seen


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "PUT"},
        {"method": "post"},
        {"target_uri": ROW["uri"] + "/x"},
        {"target_uri": ROW["uri"].replace("8091", "8092")},
        {"body": BODY + b" "},
        {"body": b""},
        {"now": NOW + 60 + 61},
        {"now": NOW - 61},
        {"nonces": httpsig.MemoryNonces(NOW + 1)},
        {"lookup": lambda *_: None},
        {"lookup": lambda *_: raw(vectors("sm2")["example"]["public"])},
    ],
)
def test_anything_else_than_what_was_signed_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SignatureInvalid):
        check(**changes)


@pytest.mark.parametrize("now", [NOW - 60, NOW, NOW + 60, NOW + 120])
def test_within_the_skew(now: int) -> None:
    assert check(now=now).created == NOW


CHANGES = [
    ("Signature-Input", "sig1=", "sig2="),
    ("Signature-Input", '"@method" "@target-uri"', '"@target-uri" "@method"'),
    ("Signature-Input", ' "content-digest"', ""),
    ("Signature-Input", '"@target-uri"', '"@path"'),
    ("Signature-Input", "created=", "created=0"),
    ("Signature-Input", ";expires=1800000060", ";expires=1800000301"),
    ("Signature-Input", ";expires=1800000060", ";expires=1800000000"),
    ("Signature-Input", ";expires=1800000060", ""),
    ("Signature-Input", 'nonce="', 'nonce="x'),
    ("Signature-Input", 'nonce="nonce-0000000000000000"', 'nonce="short"'),
    ("Signature-Input", "practitioner:", "organisation:"),
    ("Signature-Input", "practitioner:", "root:"),
    ("Signature-Input", "sm2-sm3", "ed25519"),
    ("Signature-Input", ';alg="sm2-sm3"', ""),
    ("Signature-Input", ';alg="sm2-sm3"', ';alg="sm2-sm3";tag="x"'),
    ("Signature-Input", ';alg="sm2-sm3"', ';alg="sm2-sm3", sig2=("@method")'),
    ("Signature", "sig1=:", "sig1=: "),
    ("Signature", "==:", "=:"),
    ("Content-Digest", "sm3=", "sha-256="),
]


@pytest.mark.parametrize(("name", "old", "new"), CHANGES)
def test_any_other_form_is_refused(name: str, old: str, new: str) -> None:
    assert old in ROW["headers"][name]
    with pytest.raises(SignatureInvalid):
        check(ROW["headers"] | {name: ROW["headers"][name].replace(old, new, 1)})


@pytest.mark.parametrize("name", ["Signature-Input", "Signature", "Content-Digest"])
def test_a_missing_header_is_refused(name: str) -> None:
    with pytest.raises(SignatureInvalid):
        check({k: v for k, v in ROW["headers"].items() if k != name})


@given(st.sampled_from(sorted(ROW["headers"])), st.integers(0, 400), st.characters(max_codepoint=255))
def test_no_changed_header_is_accepted(name: str, at: int, char: str) -> None:
    value = ROW["headers"][name]
    changed = value[: at % len(value)] + char + value[at % len(value) + 1 :]
    if changed != value:
        with pytest.raises(SignatureInvalid):
            check(ROW["headers"] | {name: changed})


def test_a_digest_without_a_body_is_refused() -> None:
    row = V["requests"][1]
    with pytest.raises(SignatureInvalid):
        check(
            row["headers"] | {"Content-Digest": httpsig.content_digest(b"")},
            method=row["method"],
            target_uri=row["uri"],
            body=b"",
        )


def test_replay_is_refused_and_a_bad_signature_spends_no_nonce() -> None:
    nonces = httpsig.MemoryNonces(0)
    with pytest.raises(SignatureInvalid):
        check(nonces=nonces, method="PUT")
    check(nonces=nonces)
    with pytest.raises(SignatureInvalid) as e:
        check(nonces=nonces)
    assert e.value.code == "request_replayed"


def test_of_many_threads_one_is_first() -> None:
    nonces, firsts = httpsig.MemoryNonces(0), []
    threads = [threading.Thread(target=lambda: firsts.append(nonces.first_use("k", "n", NOW))) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sum(firsts) == 1


def test_a_full_memory_refuses_rather_than_forgets() -> None:
    nonces = httpsig.MemoryNonces(0, limit=2)
    far = 2**40
    assert nonces.first_use("k", "a", far)
    assert nonces.first_use("k", "b", far)
    with pytest.raises(TooManyRequests):
        nonces.first_use("k", "c", far)
    old = httpsig.MemoryNonces(0, limit=2)
    assert old.first_use("k", "a", 1)
    assert old.first_use("k", "b", 1)
    assert old.first_use("k", "c", far)


def test_what_cannot_be_signed_is_not() -> None:
    for method, uri in (("GET\nX", "http://a/"), ("GET", "http://a/\nb"), ("GET", "/relative"), ("get", "http://a/")):
        with pytest.raises(SignatureInvalid):
            httpsig.sign_request(PRIVATE, V["keyid"], method, uri)
    with pytest.raises(ValueError, match="key id"):
        httpsig.key_id("root", bytes(32))
