"""SM2 verification in the contract against the Python engine, the shared vectors, and the plain curve, both ways."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

from core import crypto
from tests.contracts.curve import G, N, P, add, lift, multiply, negate, tuple_for
from tests.contracts.lab import Lab, harness

pytestmark = pytest.mark.node
VECTORS = json.loads((Path(__file__).parents[1] / "shared" / "sm2.json").read_text())
Row = tuple[int, int, int, int, int]
SIGNATURE = "(uint256,uint256,uint256,uint256,uint256)"


def verify(lab: Lab, rows: list[Row]) -> list[bool]:
    return list(harness(lab, f"verifyMany:{SIGNATURE}[]", "bool[]", rows))


def z_of(public: bytes, uid: bytes = crypto.USER_ID) -> bytes:
    a, b = (P - 3).to_bytes(32, "big"), 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93.to_bytes(32, "big")
    curve = a + b + G[0].to_bytes(32, "big") + G[1].to_bytes(32, "big")
    return crypto.sm3((8 * len(uid)).to_bytes(2, "big") + uid + curve + public)


def row(public: bytes, message: bytes, signature: bytes, uid: bytes = crypto.USER_ID) -> Row:
    e = crypto.sm3(z_of(public, uid) + message)
    x, y, r, s = (int.from_bytes(v, "big") for v in (public[:32], public[32:], signature[:32], signature[32:]))
    return int.from_bytes(e, "big"), r, s, x, y


def shared(group: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [r for r in VECTORS[group] if len(bytes.fromhex(r["signature"])) == 64]
    return rows


def vector(r: dict[str, Any]) -> Row:
    public, message, signature, uid = (bytes.fromhex(r[k]) for k in ("public", "message", "signature", "uid"))
    return row(public, message, signature, uid)


def test_shared_vectors(lab: Lab) -> None:
    good, bad = shared("signatures"), shared("invalid")
    assert len(good) >= 10
    assert len(bad) >= 10
    assert verify(lab, [vector(r) for r in good]) == [True] * len(good)
    assert verify(lab, [vector(r) for r in bad]) == [False] * len(bad), [r["why"] for r in bad]


def test_example_of_the_standard(lab: Lab) -> None:
    e = VECTORS["example"]
    assert verify(lab, [row(bytes.fromhex(e["public"]), bytes.fromhex(e["message"]), bytes.fromhex(e["signature"]))]) == [True]


def test_bad_keys_are_off_the_curve(lab: Lab) -> None:
    keys = [(r["why"], bytes.fromhex(r["key"])) for r in VECTORS["badPublicKeys"]]
    keys = [(why, k) for why, k in keys if len(k) == 64]
    assert len(keys) >= 4
    for why, key in keys:
        assert not lab.read("SM2Verifier", "isOnCurve", x=key[:32], y=key[32:]), why
    assert lab.read("SM2Verifier", "isOnCurve", x=G[0].to_bytes(32, "big"), y=G[1].to_bytes(32, "big"))


def test_valid_accepted_and_any_flipped_bit_refused(lab: Lab) -> None:
    rng = random.Random(2)
    rows: list[Row] = []
    expected: list[bool] = []
    for _ in range(120):
        pair, message = crypto.sm2_generate(), rng.randbytes(rng.randrange(300))
        good = row(pair.public, message, crypto.sm2_sign(pair.private, message))
        rows.append(good)
        expected.append(True)
        for part in range(5):
            spoiled = list(good)
            spoiled[part] ^= 1 << rng.randrange(256)
            rows.append(tuple(spoiled))  # type: ignore[arg-type]
            expected.append(False)
    assert verify(lab, rows) == expected


def test_one_signature_every_bit_of_every_part(lab: Lab) -> None:
    pair = crypto.sm2_generate()
    good = row(pair.public, b"m", crypto.sm2_sign(pair.private, b"m"))
    rows = [
        tuple(v ^ (1 << bit if i == part else 0) for i, v in enumerate(good)) for part in range(5) for bit in range(0, 256, 5)
    ]
    assert not any(verify(lab, rows))  # type: ignore[arg-type]


def test_edges_of_r_and_s(lab: Lab) -> None:
    pair = crypto.sm2_generate()
    e, r, s, x, y = row(pair.public, b"m", crypto.sm2_sign(pair.private, b"m"))
    edges = [0, N, N + 1, P, 2**256 - 1]
    rows = [(e, v, s, x, y) for v in edges] + [(e, r, v, x, y) for v in edges]
    rows += [
        (e, r, N - r, x, y),
        (e, N - s, s, x, y),
        (e, s, r, x, y),
        (e, r + N, s, x, y) if r + N < 2**256 else (e, 0, s, x, y),
    ]
    rows += [
        (e, r, s, x, P - y),
        (e, r, s, x + 1, y),
        (e, r, s, 0, 0),
        (e, r, s, x, 0),
        (e, r, s, P, y),
        (e, r, s, x, y + P if y + P < 2**256 else P),
    ]
    assert not any(verify(lab, rows))
    assert verify(lab, [(e, r, s, x, y)]) == [True]


def test_digest_above_the_order_is_reduced(lab: Lab) -> None:
    """A digest below 2^256 - n has a second form e + n; only about one in 2^32 is, so the key is made to fit the digest."""
    total = multiply(77, G)
    assert total is not None
    for e in (0, 3, 2**200):
        s, t = 5, (5 + total[0] + e) % N
        made = tuple_for(s, t, multiply(pow(t, -1, N), add(total, negate(multiply(s, G)))))
        assert made is not None
        assert made[0] == e
        assert verify(lab, [made, (e + N, *made[1:]), (e + N + 1, *made[1:])]) == [True, True, False]


SCALARS = [1, 2, 3, 4, 5, 8, 12, 15, N - 1, N - 2, N - 3, (N - 1) // 2, 2**255 + 3, 4**100 * 5 + 1]
KEYS = [1, 2, 3, 4, 5, N - 1, N - 2, N - 3, N - 4, (N + 1) // 2, (N - 1) // 2, pow(3, -1, N), N - pow(3, -1, N)]


def test_keys_that_are_small_multiples_of_the_generator(lab: Lab) -> None:
    """Here additions meet equal points, opposite points and infinity: in the table, at the start, midway and at the end."""
    rows: list[Row] = []
    expected: list[bool] = []
    for d, s, t in itertools.product(KEYS, SCALARS, SCALARS):
        r, q, total = (t - s) % N, multiply(d, G), multiply(s + t * d, G)
        if r == 0 or q is None:
            continue
        e = (r - total[0]) % N if total else r
        rows += [(e, r, s, *q), (e ^ 1, r, s, *q)]
        expected += [total is not None, False]  # where the sum is infinity, every digest must be refused
    assert expected.count(True) > 1500
    assert list(harness(lab, f"verifyMany:{SIGNATURE}[]", "bool[]", rows, size=400)) == expected


def test_sum_that_becomes_infinity_on_the_way(lab: Lab) -> None:
    """s = u·2^k + a, t = v·2^k + b with u + v·d = 0: the sum passes through infinity after the leading bits."""
    rows: list[Row] = []
    rng = random.Random(5)
    for _ in range(40):
        shift, v = 2 * rng.randrange(1, 60), rng.randrange(1, 2**60)
        u = rng.randrange(1, 2**60)
        d = -u * pow(v, -1, N) % N
        q = multiply(d, G)
        for a, b in ((0, 1), (1, 0), (1, 1), (3, 2), (rng.randrange(1, 2**shift), rng.randrange(1, 2**shift))):
            made = tuple_for((u << shift) + a, (v << shift) + b, q)
            if made:
                rows.append(made)
    assert len(rows) > 150
    assert all(verify(lab, rows))
    assert not any(verify(lab, [(r[0] ^ 1, *r[1:]) for r in rows]))


def test_x_between_the_order_and_the_prime(lab: Lab) -> None:
    """About one sum in 2^128 has n <= x < p: there x mod n is x - n, and the projective comparison must try both."""
    rows: list[Row] = []
    for x in itertools.islice((x for x in range(N, N + 400) if lift(x)), 20):
        total, (s, t) = lift(x), (5 + x % 7, 90 + x % 11)
        q = multiply(pow(t, -1, N), add(total, negate(multiply(s, G))))
        made = tuple_for(s, t, q)
        assert made is not None
        rows.append(made)
    assert verify(lab, rows) == [True] * 20
    assert not any(verify(lab, [(r[0] ^ 1, *r[1:]) for r in rows]))


def test_random_scalars_against_the_plain_curve(lab: Lab) -> None:
    rng = random.Random(8)
    rows = [r for _ in range(60) if (r := tuple_for(rng.randrange(1, N), rng.randrange(1, N), multiply(rng.randrange(1, N), G)))]
    assert all(verify(lab, rows))


def test_only_the_right_message_and_z(lab: Lab) -> None:
    pair, other = crypto.sm2_generate(), crypto.sm2_generate()
    signature = crypto.sm2_sign(pair.private, b"consent")
    args = {"r": signature[:32], "s": signature[32:], "x": pair.public[:32], "y": pair.public[32:]}
    good = lab.read("SM2Verifier", "verifyMessage", z=z_of(pair.public), message=b"consent", **args)
    assert good == {"valid": True, "e": crypto.sm3(z_of(pair.public) + b"consent")}
    for z, text in ((z_of(other.public), b"consent"), (z_of(pair.public), b"Consent"), (z_of(pair.public), b"consent\0")):
        assert not lab.read("SM2Verifier", "verifyMessage", z=z, message=text, **args)["valid"]
