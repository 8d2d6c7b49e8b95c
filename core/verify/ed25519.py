"""Ed25519 (RFC 8032), for the signatures of CometBFT's validators."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from .read import Malformed

_Q = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _Q) % _Q
_Edwards = tuple[int, int, int, int]
_IDENTITY: _Edwards = (0, 1, 1, 0)


def _edwards_add(p: _Edwards, q: _Edwards) -> _Edwards:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _Q, (p[1] + p[0]) * (q[1] + q[0]) % _Q
    c, d = 2 * p[3] * q[3] * _D % _Q, 2 * p[2] * q[2] % _Q
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _Q, g * h % _Q, f * g % _Q, e * h % _Q


def _edwards_multiply(k: int, p: _Edwards) -> _Edwards:
    total = _IDENTITY
    while k:
        if k & 1:
            total = _edwards_add(total, p)
        p, k = _edwards_add(p, p), k >> 1
    return total


def _edwards_point(encoded: bytes) -> _Edwards:
    """A point from its 32 bytes. Malformed if there is none."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & 2**255 - 1
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _Q) % _Q
    x = pow(square, (_Q + 3) // 8, _Q)
    if (x * x - square) % _Q:
        x = x * pow(2, (_Q - 1) // 4, _Q) % _Q
    if y >= _Q or (x * x - square) % _Q or (x == 0 and sign):
        raise Malformed("not a point of the curve")
    x = _Q - x if x & 1 != sign else x
    return x, y, 1, x * y % _Q


_BASE = _edwards_point((4 * pow(5, -1, _Q) % _Q).to_bytes(32, "little"))


@lru_cache(maxsize=256)
def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether R‖s holds for the message under the key."""
    if len(public) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    try:
        key, shown = _edwards_point(public), _edwards_point(signature[:32])
    except Malformed:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    left, right = _edwards_multiply(s, _BASE), _edwards_add(shown, _edwards_multiply(k, key))
    same = (left[0] * right[2] - right[0] * left[2]) % _Q == 0 and (left[1] * right[2] - right[1] * left[2]) % _Q == 0
    return s < _L and same
