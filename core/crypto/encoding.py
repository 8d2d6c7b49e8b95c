"""Encodings of SM2 keys and signatures, and the user-id digest Z. Independent of any engine.

Inside there is one form: keys ``x‖y`` (64 bytes), signatures ``r‖s`` (64 bytes). Other forms are accepted at the edge and
normalised here. Source: GB/T 32918.1 (points, compression), GB/T 32918.2 (Z), GM/T 0009 (DER signature), GB/T 32918.5 (curve).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from core.crypto.port import USER_ID
from core.errors import DecryptionFailed, EncodingMalformed, KeyMalformed

KEYS = 4096
"""Keys that an engine keeps parsed, and Z of, in one process."""
OVERHEAD = 97
"""Bytes of an SM2 cipher besides the plain ones: 04, x, y, C3."""

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
GX = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
GY = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0

_CURVE = b"".join(v.to_bytes(32, "big") for v in (A, B, GX, GY))


def on_curve(public: bytes) -> bool:
    """Whether 64 bytes x‖y are a point of the SM2 curve (both coordinates below p; the curve has cofactor 1)."""
    if len(public) != 64:
        return False
    x, y = int.from_bytes(public[:32], "big"), int.from_bytes(public[32:], "big")
    return x < P and y < P and (y * y - (x * x + A) * x - B) % P == 0


def check_public(public: bytes) -> bytes:
    """``public`` if it is x‖y on the curve, else KeyMalformed."""
    if not on_curve(public):
        raise KeyMalformed(detail="the public key is not a point of the SM2 curve")
    return public


def check_private(private: bytes) -> int:
    """The private key as a number in [1, n−2], else KeyMalformed (GB/T 32918.1: d = n−1 has no inverse of 1+d)."""
    d = int.from_bytes(private, "big")
    if len(private) != 32 or not 1 <= d <= N - 2:
        raise KeyMalformed(detail="a private key is 32 bytes in [1, n-2]")
    return d


def check_plain(plain: bytes) -> bytes:
    """``plain`` if it has a byte to encrypt, else EncodingMalformed."""
    if not plain:
        raise EncodingMalformed(detail="SM2 encrypts at least one byte")
    return plain


def check_cipher(cipher: bytes) -> bytes:
    """``cipher`` if it is ``04‖x‖y‖C3‖C2`` with a point of the curve and a byte in C2, else DecryptionFailed."""
    if len(cipher) <= OVERHEAD or cipher[0] != 4 or not on_curve(cipher[1:65]):
        raise DecryptionFailed()
    return cipher


def check_sm4(key: bytes, iv: bytes, iv_size: int) -> None:
    """KeyMalformed unless the key has 16 bytes and the iv ``iv_size``."""
    if len(key) != 16 or len(iv) != iv_size:
        raise KeyMalformed(
            "sm4_key_malformed",
            "SM4 密钥须 16 字节、初始向量须 {n} 字节。",
            "SM4 takes a 16-byte key and a {n}-byte iv.",
            n=iv_size,
        )


def parse_public(data: bytes) -> bytes:
    """x‖y from x‖y (64 bytes), ``04``‖x‖y (65) or ``02|03``‖x (33), checked to be on the curve. Raises KeyMalformed."""
    if len(data) == 65 and data[0] == 4:
        return check_public(data[1:])
    if len(data) == 33 and data[0] in (2, 3):
        return _decompress(data)
    return check_public(data)


def compress(public: bytes) -> bytes:
    """``02``‖x or ``03``‖x of x‖y."""
    check_public(public)
    return bytes([2 + (public[63] & 1)]) + public[:32]


def uncompressed(public: bytes) -> bytes:
    """``04``‖x‖y of x‖y."""
    return b"\x04" + check_public(public)


def _decompress(data: bytes) -> bytes:
    x = int.from_bytes(data[1:], "big")
    y = pow((x * x * x + A * x + B) % P, (P + 1) // 4, P)
    if y & 1 != data[0] & 1:
        y = P - y
    return check_public(data[1:] + y.to_bytes(32, "big"))


def signature_numbers(signature: bytes) -> tuple[int, int] | None:
    """(r, s) of r‖s if both are in [1, n−1] and r + s ≠ 0 mod n, else None: such a signature cannot hold."""
    if len(signature) != 64:
        return None
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < N and 0 < s < N) or (r + s) % N == 0:
        return None
    return r, s


def parse_signature(data: bytes) -> bytes:
    """r‖s from r‖s (64 bytes) or DER ``SEQUENCE{INTEGER r, INTEGER s}``. Raises EncodingMalformed."""
    return data if len(data) == 64 else der_to_raw(data)


def der_to_raw(der: bytes) -> bytes:
    """r‖s of a strict DER signature (shortest lengths, no padding, nothing behind it). Raises EncodingMalformed."""
    if len(der) < 8 or len(der) > 72 or der[0] != 0x30 or der[1] != len(der) - 2:
        raise EncodingMalformed(detail="not a DER sequence of two integers")
    r, rest = _der_integer(der[2:])
    s, rest = _der_integer(rest)
    if rest:
        raise EncodingMalformed(detail="bytes behind the signature")
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _der_integer(data: bytes) -> tuple[int, bytes]:
    if len(data) < 3 or data[0] != 2 or not 1 <= data[1] <= 33 or len(data) < 2 + data[1]:
        raise EncodingMalformed(detail="not a DER integer")
    body, rest = data[2 : 2 + data[1]], data[2 + data[1] :]
    if body[0] & 0x80 or (len(body) > 1 and body[0] == 0 and not body[1] & 0x80):
        raise EncodingMalformed(detail="a DER integer that is negative or padded")
    value = int.from_bytes(body, "big")
    if value >> 256:
        raise EncodingMalformed(detail="a DER integer of more than 256 bits")
    return value, rest


def raw_to_der(signature: bytes) -> bytes:
    """DER ``SEQUENCE{INTEGER r, INTEGER s}`` of r‖s. Raises EncodingMalformed if it is not 64 bytes."""
    if len(signature) != 64:
        raise EncodingMalformed(detail="a raw signature is 64 bytes r‖s")
    body = _der_write(signature[:32]) + _der_write(signature[32:])
    return bytes([0x30, len(body)]) + body


def _der_write(number: bytes) -> bytes:
    body = number.lstrip(b"\0") or b"\0"
    if body[0] & 0x80:
        body = b"\0" + body
    return bytes([2, len(body)]) + body


@lru_cache(maxsize=KEYS)
def sm2_z(public: bytes, uid: bytes = USER_ID) -> bytes:
    """Z = SM3(ENTL ‖ ID ‖ a ‖ b ‖ Gx ‖ Gy ‖ x ‖ y) (GB/T 32918.2 §5.5), the 32 bytes hashed before the message."""
    if len(uid) > 8191:
        raise EncodingMalformed(detail="a user id has at most 8191 bytes")
    return hashlib.new("sm3", (len(uid) * 8).to_bytes(2, "big") + uid + _CURVE + public).digest()
