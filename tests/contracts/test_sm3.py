"""SM3 in the contract against OpenSSL's."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest

from tests.contracts.lab import Lab, harness

pytestmark = pytest.mark.node
SHARED = Path(__file__).parents[1] / "shared" / "sm3.json"


def sm3(data: bytes) -> bytes:
    return hashlib.new("sm3", data).digest()


def test_every_length_to_300(lab: Lab) -> None:
    data = [bytes((31 * n + 7 * i) % 256 for i in range(n)) for n in range(301)]
    assert list(harness(lab, "hashMany:bytes[]", "bytes32[]", data)) == [sm3(d) for d in data]


def test_shared_vectors(lab: Lab) -> None:
    rows = [row for group in json.loads(SHARED.read_text()).values() for row in group if set(row) == {"message", "digest"}]
    digests = harness(lab, "hashMany:bytes[]", "bytes32[]", [bytes.fromhex(r["message"]) for r in rows])
    assert len(rows) > 100
    assert [d.hex() for d in digests] == [r["digest"] for r in rows]


def test_random_and_extreme_bytes(lab: Lab) -> None:
    rng = random.Random(3)
    data = [rng.randbytes(rng.randrange(4000)) for _ in range(60)] + [
        bytes([b]) * n for b in (0, 255) for n in (55, 56, 63, 64, 65, 2048)
    ]
    assert list(harness(lab, "hashMany:bytes[]", "bytes32[]", data, size=20)) == [sm3(d) for d in data]


def test_hmac_and_z_of_the_verifier(lab: Lab) -> None:
    from core import crypto

    for size in (0, 1, 63, 64, 224, 1000):
        key, data = random.Random(size).randbytes(32), bytes(size)
        assert lab.read("SM2Verifier", "hmac", key=key, message=data) == crypto.hmac_sm3(key, data)
    example = json.loads((SHARED.parent / "sm2.json").read_text())["example"]
    public = bytes.fromhex(example["public"])
    assert lab.read("SM2Verifier", "zOf", x=public[:32], y=public[32:]).hex() == example["z"]
