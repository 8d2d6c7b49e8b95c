"""SM3 (GB/T 32905) and its HMAC, Keccak-256 as Ethereum has it, SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache


def _rotate(x: int, n: int) -> int:
    n %= 32
    return (x << n | x >> 32 - n) & 0xFFFFFFFF


def sm3_pure(data: bytes) -> bytes:
    """SM3 in plain Python, for machines whose OpenSSL has none."""
    v = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    padded = data + b"\x80" + bytes((55 - len(data)) % 64) + (len(data) * 8).to_bytes(8, "big")
    for at in range(0, len(padded), 64):
        v = [x ^ y for x, y in zip(v, _sm3_block(v, padded[at : at + 64]), strict=True)]
    return b"".join(x.to_bytes(4, "big") for x in v)


def _sm3_block(v: list[int], block: bytes) -> list[int]:
    w = [int.from_bytes(block[i : i + 4], "big") for i in range(0, 64, 4)]
    for j in range(16, 68):
        x = w[j - 16] ^ w[j - 9] ^ _rotate(w[j - 3], 15)
        w.append(x ^ _rotate(x, 15) ^ _rotate(x, 23) ^ _rotate(w[j - 13], 7) ^ w[j - 6])
    a, b, c, d, e, f, g, h = v
    for j in range(64):
        ss1 = _rotate((_rotate(a, 12) + e + _rotate(0x79CC4519 if j < 16 else 0x7A879D8A, j)) & 0xFFFFFFFF, 7)
        ff = a ^ b ^ c if j < 16 else a & b | a & c | b & c
        gg = e ^ f ^ g if j < 16 else e & f | ~e & g
        t1 = ff + d + (ss1 ^ _rotate(a, 12)) + (w[j] ^ w[j + 4]) & 0xFFFFFFFF
        t2 = gg + h + ss1 + w[j] & 0xFFFFFFFF
        a, b, c, d, e, f, g, h = t1, a, _rotate(b, 9), c, t2 ^ _rotate(t2, 9) ^ _rotate(t2, 17), e, _rotate(f, 19), g
    return [a, b, c, d, e, f, g, h]


def _native_sm3() -> Callable[[bytes], bytes]:
    try:
        hashlib.new("sm3")
    except ValueError:
        return sm3_pure
    return lambda data: hashlib.new("sm3", data).digest()


sm3 = _native_sm3()


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """HMAC under SM3."""
    block = (sm3(key) if len(key) > 64 else key).ljust(64, b"\0")
    return sm3(bytes(b ^ 0x5C for b in block) + sm3(bytes(b ^ 0x36 for b in block) + data))


_ROUNDS = []
_lfsr = 1
for _ in range(24):
    _constant = 0
    for _j in range(7):
        if _lfsr & 1:
            _constant |= 1 << (1 << _j) - 1
        _lfsr = _lfsr << 1 ^ (0x171 if _lfsr & 0x80 else 0)
    _ROUNDS.append(_constant)


def _rotate64(x: int, n: int) -> int:
    n %= 64
    return (x << n | x >> 64 - n) & 0xFFFFFFFFFFFFFFFF


def _keccak_f(a: list[list[int]]) -> list[list[int]]:
    for constant in _ROUNDS:
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[(x + 4) % 5] ^ _rotate64(c[(x + 1) % 5], 1) for x in range(5)]
        a = [[a[x][y] ^ d[x] for y in range(5)] for x in range(5)]
        x, y, current = 1, 0, a[1][0]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, a[x][y] = a[x][y], _rotate64(current, (t + 1) * (t + 2) // 2)
        a = [[a[x][y] ^ (~a[(x + 1) % 5][y] & a[(x + 2) % 5][y]) for y in range(5)] for x in range(5)]
        a[0][0] ^= constant
    return a


@lru_cache(maxsize=4096)  # proofs share most of their nodes
def keccak256(data: bytes) -> bytes:
    """Keccak-256 as the EVM uses it (padding 01, not SHA-3's 06)."""
    rate = 136
    padded = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % rate))
    padded[-1] |= 0x80
    a = [[0] * 5 for _ in range(5)]
    for at in range(0, len(padded), rate):
        for i in range(rate // 8):
            a[i % 5][i // 5] ^= int.from_bytes(padded[at + 8 * i : at + 8 * i + 8], "little")
        a = _keccak_f(a)
    return b"".join(a[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
