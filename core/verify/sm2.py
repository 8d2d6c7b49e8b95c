"""SM2 signatures (GB/T 32918.2), and short Weierstrass curves with a = -3."""

from __future__ import annotations

from functools import lru_cache

from .hashes import sm3
from .read import integer

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
A, B = P - 3, 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
_USER_ID = b"1234567812345678"
Point = tuple[int, int] | None


def point_add(p: Point, q: Point, prime: int = P) -> Point:
    """On SM2's curve or, by its prime, on P-256: both have a = prime - 3."""
    if p is None or q is None:
        return p or q
    (x1, y1), (x2, y2) = p, q
    if x1 == x2 and (y1 + y2) % prime == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, prime) if p == q else (y2 - y1) * pow(x2 - x1, -1, prime)
    x3 = (slope * slope - x1 - x2) % prime
    return x3, (slope * (x1 - x3) - y1) % prime


def point_multiply(k: int, p: Point, prime: int = P) -> Point:
    total: Point = None
    while k:
        if k & 1:
            total = point_add(total, p, prime)
        p, k = point_add(p, p, prime), k >> 1
    return total


@lru_cache(maxsize=64)
def sm2_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether r‖s holds for the message under x‖y and the standard user id."""
    x, y = integer(public[:32]), integer(public[32:])
    if len(public) != 64 or len(signature) != 64 or x >= P or y >= P or (y * y - x * x * x - A * x - B) % P:
        return False
    r, s = integer(signature[:32]), integer(signature[32:])
    t = (r + s) % N
    if not (0 < r < N and 0 < s < N) or t == 0:
        return False
    z = sm3(b"\x00\x80" + _USER_ID + b"".join(v.to_bytes(32, "big") for v in (A, B, *G)) + public)
    point = point_add(point_multiply(s, G), point_multiply(t, (x, y)))
    return point is not None and (integer(sm3(z + message)) + point[0]) % N == r
