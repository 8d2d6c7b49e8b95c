"""ECDSA over P-256 (FIPS 186-5)."""

from __future__ import annotations

from functools import lru_cache

from .der import INTEGER, SEQUENCE, der_contents
from .hashes import sha256
from .read import integer
from .sm2 import point_add, point_multiply

_P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
_P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P256_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_P256_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


@lru_cache(maxsize=256)
def p256_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the DER signature (ECDSA with SHA-256) holds for the message under x‖y."""
    x, y = integer(public[:32]), integer(public[32:])
    r, s = (integer(n) for n in der_contents(der_contents(signature, SEQUENCE)[0], INTEGER, INTEGER))
    if not (0 < r < _P256_N and 0 < s < _P256_N) or x >= _P256 or y >= _P256 or (y * y - x * x * x + 3 * x - _P256_B) % _P256:
        return False
    w, e = pow(s, -1, _P256_N), integer(sha256(message))
    left, right = point_multiply(e * w % _P256_N, _P256_G, _P256), point_multiply(r * w % _P256_N, (x, y), _P256)
    point = point_add(left, right, _P256)
    return point is not None and point[0] % _P256_N == r
