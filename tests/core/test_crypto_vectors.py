"""Every engine against the published examples and the shared vectors (GB/T 32905, 32907, 32918; RFC 8998)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import crypto
from core.crypto import Engine, encoding
from core.errors import DecryptionFailed, EncodingMalformed, KeyMalformed
from tests.core.shared import raw, vectors
from tests.support.engines import ENGINES, engine_named

SM2, SM3, SM4 = vectors("sm2"), vectors("sm3"), vectors("sm4")
UID = crypto.USER_ID


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return engine_named(request.param)


def test_sm3_examples_and_all_lengths(engine: Engine) -> None:
    for row in SM3["examples"] + SM3["lengths"]:
        assert engine.sm3(raw(row["message"])).hex() == row["digest"]


def test_hmac(engine: Engine) -> None:
    for row in SM3["hmac"]:
        assert engine.hmac_sm3(raw(row["key"]), raw(row["message"])).hex() == row["mac"]


def test_sm4_block_gcm_ctr(engine: Engine) -> None:
    assert engine.sm4_ctr(raw(SM4["block"]["key"]), raw(SM4["block"]["plain"]), bytes(16)).hex() == SM4["block"]["cipher"]
    for row in SM4["gcm"]:
        key, iv, aad, plain, cipher = (raw(row[n]) for n in ("key", "iv", "aad", "plain", "cipher"))
        assert engine.sm4_gcm_encrypt(key, iv, plain, aad) == cipher
        assert engine.sm4_gcm_decrypt(key, iv, cipher, aad) == plain
    for row in SM4["ctr"]:
        assert engine.sm4_ctr(raw(row["key"]), raw(row["iv"]), raw(row["plain"])).hex() == row["cipher"]


def test_gcm_refuses_every_change(engine: Engine) -> None:
    row = SM4["gcm"][5]
    key, iv, aad, cipher = (raw(row[n]) for n in ("key", "iv", "aad", "cipher"))
    for at in (0, len(cipher) - 1, len(cipher) - 16):
        changed = bytearray(cipher)
        changed[at] ^= 1
        with pytest.raises(DecryptionFailed):
            engine.sm4_gcm_decrypt(key, iv, bytes(changed), aad)
    for args in (
        (key, iv, cipher, aad + b"x"),
        (key, iv[:-1] + b"\0", cipher, aad),
        (bytes(16), iv, cipher, aad),
        (key, iv, cipher[:15], aad),
    ):
        with pytest.raises(DecryptionFailed):
            engine.sm4_gcm_decrypt(*args)
    with pytest.raises(KeyMalformed):
        engine.sm4_gcm_encrypt(key[:15], iv, b"", b"")
    with pytest.raises(KeyMalformed):
        engine.sm4_ctr(key, iv, b"x")


def test_sm2_example_of_the_standard(engine: Engine) -> None:
    x = {n: raw(v) for n, v in SM2["example"].items()}
    assert engine.sm2_public(x["private"]) == x["public"]
    assert engine.sm2_verify(x["public"], x["message"], x["signature"])
    assert engine.sm2_decrypt(x["private"], x["cipher"]) == x["plain"]


def test_sm2_signatures(engine: Engine) -> None:
    for row in SM2["signatures"][: 4 if engine.name == "reference" else 16]:
        private, public, uid, message, signature = (raw(row[n]) for n in ("private", "public", "uid", "message", "signature"))
        assert engine.sm2_public(private) == public
        assert engine.sm2_verify(public, message, signature, uid)
        assert not engine.sm2_verify(public, message, signature, uid + b"x")
        assert not engine.sm2_verify(public, message + b"x", signature, uid)
        own = engine.sm2_sign(private, message, uid)
        assert len(own) == 64
        assert crypto.load("openssl").sm2_verify(public, message, own, uid)


def test_sm2_refuses_invalid_signatures(engine: Engine) -> None:
    for row in SM2["invalid"]:
        assert not engine.sm2_verify(raw(row["public"]), raw(row["message"]), raw(row["signature"]), raw(row["uid"])), row["why"]


def test_sm2_refuses_bad_keys(engine: Engine) -> None:
    signature = raw(SM2["signatures"][0]["signature"])
    for row in SM2["badPublicKeys"]:
        with pytest.raises(KeyMalformed):
            encoding.parse_public(raw(row["key"]))
        with pytest.raises(KeyMalformed):
            engine.sm2_verify(raw(row["key"]), b"", signature)
        with pytest.raises(KeyMalformed):
            engine.sm2_encrypt(raw(row["key"]), b"x")
    for key in SM2["badPrivateKeys"]:
        for use in (engine.sm2_public, lambda k: engine.sm2_sign(k, b""), lambda k: engine.sm2_decrypt(k, bytes(98))):
            with pytest.raises(KeyMalformed):
                use(raw(key))


def test_sm2_encryption(engine: Engine) -> None:
    for row in SM2["encryption"]:
        private, public, plain = raw(row["private"]), raw(row["public"]), raw(row["plain"])
        assert engine.sm2_decrypt(private, raw(row["cipher"])) == plain
        assert crypto.load("openssl").sm2_decrypt(private, engine.sm2_encrypt(public, plain)) == plain
    for row in SM2["badCiphers"]:
        with pytest.raises(DecryptionFailed):
            engine.sm2_decrypt(raw(row["private"]), raw(row["cipher"]))
    with pytest.raises(EncodingMalformed):
        engine.sm2_encrypt(raw(SM2["example"]["public"]), b"")


def test_reference_adds_equal_and_opposite_points() -> None:
    """s·G and t·P can be the same point or each other's negative; gmssl's addition knows neither."""
    slow, fast = crypto.load("reference"), crypto.load("openssl")
    message, pair = b"edge", crypto.KeyPair((5).to_bytes(32, "big"), fast.sm2_public((5).to_bytes(32, "big")))
    for sign in (1, -1):
        t = 7
        s = sign * 5 * t % encoding.N
        signature = ((t - s) % encoding.N).to_bytes(32, "big") + s.to_bytes(32, "big")
        assert slow.sm2_verify(pair.public, message, signature) == fast.sm2_verify(pair.public, message, signature) is False


def test_encodings() -> None:
    for row in SM2["signatures"]:
        public, signature = raw(row["public"]), raw(row["signature"])
        for form in ("public", "compressed", "uncompressed"):
            assert encoding.parse_public(raw(row[form])) == public
        assert encoding.compress(public).hex() == row["compressed"]
        assert encoding.uncompressed(public).hex() == row["uncompressed"]
        assert encoding.sm2_z(public, raw(row["uid"])).hex() == row["z"]
        assert encoding.parse_signature(raw(row["der"])) == encoding.parse_signature(signature) == signature
        assert encoding.raw_to_der(signature).hex() == row["der"]
    for row in SM2["badDer"]:
        with pytest.raises(EncodingMalformed):
            encoding.der_to_raw(raw(row["der"]))


@given(st.binary(max_size=80))
def test_der_parser_accepts_only_what_it_writes(data: bytes) -> None:
    try:
        signature = encoding.der_to_raw(data)
    except EncodingMalformed:
        return
    assert encoding.raw_to_der(signature) == data


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_der_round_trip(r: int, s: int) -> None:
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert encoding.der_to_raw(encoding.raw_to_der(signature)) == signature


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 511), st.binary(max_size=100))
def test_any_flipped_bit_of_a_signature_is_refused(bit: int, message: bytes) -> None:
    row = SM2["signatures"][0]
    private, public = raw(row["private"]), raw(row["public"])
    signature = crypto.sm2_sign(private, message)
    flipped = (int.from_bytes(signature, "big") ^ 1 << bit).to_bytes(64, "big")
    assert crypto.sm2_verify(public, message, signature)
    assert not crypto.sm2_verify(public, message, flipped)


def test_use_and_load() -> None:
    before = crypto.use("reference")
    try:
        assert crypto.engine().name == "reference"
        assert crypto.sm3(b"abc").hex() == SM3["examples"][0]["digest"]
    finally:
        crypto.use(before)
    assert crypto.engine() is before
    with pytest.raises(LookupError, match="no crypto engine 'hsm9'"):
        crypto.load("hsm9")
