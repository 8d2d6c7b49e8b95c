"""SM2's curve in the plainest Python, for signatures that no signer would make. Source: GB/T 32918.1, 32918.5."""

from __future__ import annotations

from functools import cache

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)

Point = tuple[int, int] | None


def add(a: Point, b: Point) -> Point:
    """a + b; None is infinity."""
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


@cache
def multiply(k: int, a: Point) -> Point:
    """k·a."""
    total: Point = None
    for bit in bin(k % N)[2:]:
        total = add(total, total)
        if bit == "1":
            total = add(total, a)
    return total


def negate(a: Point) -> Point:
    """-a."""
    return a and (a[0], -a[1] % P)


def lift(x: int) -> Point:
    """A point with this x, None if there is none; p = 3 mod 4."""
    square = (x**3 - 3 * x + B) % P
    y = pow(square, (P + 1) // 4, P)
    return (x, y) if y * y % P == square else None


def tuple_for(s: int, t: int, q: Point) -> tuple[int, int, int, int, int] | None:
    """(e, r, s, x, y) that verifies and makes the verifier compute s·G + t·Q; None where no such signature exists (the sum is
    infinity, or r = 0)."""
    total = add(multiply(s, G), multiply(t, q))
    r = (t - s) % N
    if total is None or r == 0 or q is None:
        return None
    return (r - total[0]) % N, r, s, q[0], q[1]
