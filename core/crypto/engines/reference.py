"""The reference engine: arithmetic and round functions of ``gmssl`` (pure Python), independent of OpenSSL. For tests and
disputes, not for load.

Only gmssl's curve arithmetic, SM3 and SM4 round are used. Its own signing and encryption are not: they draw nonces from
``random``, do not check ranges, and decryption does not compare C3. Constant time is not claimed.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Any

from gmssl import sm2, sm3, sm4

from core.crypto import encoding
from core.crypto.port import USER_ID, KeyPair
from core.errors import DecryptionFailed, EncodingMalformed

_CURVE: Any = sm2.CryptSM2(private_key="", public_key="")
_G = encoding.GX.to_bytes(32, "big") + encoding.GY.to_bytes(32, "big")
_CONSTANTS = b"".join(v.to_bytes(32, "big") for v in (encoding.A, encoding.B)) + _G
_GCM_POLYNOMIAL = 0xE1 << 120


class ReferenceEngine:
    """See the module text. Stateless."""

    @property
    def name(self) -> str:
        return "reference"

    def sm3(self, data: bytes) -> bytes:
        return bytes.fromhex(sm3.sm3_hash(list(data)))

    def hmac_sm3(self, key: bytes, data: bytes) -> bytes:
        block = (self.sm3(key) if len(key) > 64 else key).ljust(64, b"\0")
        inner = self.sm3(bytes(b ^ 0x36 for b in block) + data)
        return self.sm3(bytes(b ^ 0x5C for b in block) + inner)

    def sm2_generate(self) -> KeyPair:
        private = (secrets.randbelow(encoding.N - 2) + 1).to_bytes(32, "big")
        return KeyPair(private, self.sm2_public(private))

    def sm2_public(self, private: bytes) -> bytes:
        return _multiply(encoding.check_private(private), _G)

    def sm2_sign(self, private: bytes, message: bytes, uid: bytes = USER_ID) -> bytes:
        d = encoding.check_private(private)
        e = self._digest(self.sm2_public(private), message, uid)
        while True:
            signature = sign_with_nonce(d, e, secrets.randbelow(encoding.N - 1) + 1)
            if signature is not None:
                return signature

    def sm2_verify(self, public: bytes, message: bytes, signature: bytes, uid: bytes = USER_ID) -> bool:
        encoding.check_public(public)
        numbers = encoding.signature_numbers(signature)
        if numbers is None:
            return False
        r, s = numbers
        total = _add(_multiply(s, _G), _multiply((r + s) % encoding.N, public))
        return total is not None and (self._digest(public, message, uid) + total) % encoding.N == r

    def _digest(self, public: bytes, message: bytes, uid: bytes) -> int:
        if len(uid) > 8191:
            raise EncodingMalformed(detail="a user id has at most 8191 bytes")
        z = self.sm3((len(uid) * 8).to_bytes(2, "big") + uid + _CONSTANTS + public)
        return int.from_bytes(self.sm3(z + message), "big")

    def sm2_encrypt(self, public: bytes, plain: bytes) -> bytes:
        encoding.check_plain(plain)
        encoding.check_public(public)
        while True:
            cipher = self.encrypt_with_nonce(public, plain, secrets.randbelow(encoding.N - 1) + 1)
            if cipher is not None:
                return cipher

    def encrypt_with_nonce(self, public: bytes, plain: bytes, k: int) -> bytes | None:
        """C1C3C2 with a given nonce, for published examples only; None if the key stream is all zero."""
        shared = _multiply(k, public)
        mask = self._kdf(shared, len(plain))
        if not any(mask):
            return None
        c3 = self.sm3(shared[:32] + plain + shared[32:])
        return b"\x04" + _multiply(k, _G) + c3 + bytes(a ^ b for a, b in zip(plain, mask, strict=True))

    def sm2_decrypt(self, private: bytes, cipher: bytes) -> bytes:
        d = encoding.check_private(private)
        shared = _multiply(d, encoding.check_cipher(cipher)[1:65])
        mask = self._kdf(shared, len(cipher) - 97)
        plain = bytes(a ^ b for a, b in zip(cipher[97:], mask, strict=True))
        if not hmac.compare_digest(self.sm3(shared[:32] + plain + shared[32:]), cipher[65:97]):
            raise DecryptionFailed()
        return plain

    def _kdf(self, shared: bytes, size: int) -> bytes:
        blocks = (self.sm3(shared + i.to_bytes(4, "big")) for i in range(1, (size + 31) // 32 + 1))
        return b"".join(blocks)[:size]

    def sm4_gcm_encrypt(self, key: bytes, iv: bytes, plain: bytes, aad: bytes) -> bytes:
        block = _block_cipher(key, iv, 12)
        cipher = _counter(block, int.from_bytes(iv + b"\0\0\0\2", "big"), plain)
        return cipher + _gcm_tag(block, iv, cipher, aad)

    def sm4_gcm_decrypt(self, key: bytes, iv: bytes, cipher: bytes, aad: bytes) -> bytes:
        block = _block_cipher(key, iv, 12)
        if len(cipher) < 16 or not hmac.compare_digest(_gcm_tag(block, iv, cipher[:-16], aad), cipher[-16:]):
            raise DecryptionFailed()
        return _counter(block, int.from_bytes(iv + b"\0\0\0\2", "big"), cipher[:-16])

    def sm4_ctr(self, key: bytes, iv: bytes, data: bytes) -> bytes:
        return _counter(_block_cipher(key, iv, 16), int.from_bytes(iv, "big"), data, bits=128)


def sign_with_nonce(d: int, e: int, k: int) -> bytes | None:
    """r‖s for private key ``d``, digest ``e`` and nonce ``k``, for published examples only; None where the standard says to
    draw another k."""
    n = encoding.N
    r = (e + int.from_bytes(_multiply(k, _G)[:32], "big")) % n
    s = pow(1 + d, -1, n) * (k - r * d) % n
    if r == 0 or r + k == n or s == 0:
        return None
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _multiply(k: int, point: bytes) -> bytes:
    return bytes.fromhex(_CURVE._kg(k, point.hex()))


def _add(a: bytes, b: bytes) -> int | None:
    """x of a + b, or None for the point at infinity. gmssl's addition does not know equal or opposite points."""
    if a[:32] == b[:32]:
        return int.from_bytes(_multiply(2, a)[:32], "big") if a == b else None
    return int(_CURVE._convert_jacb_to_nor(_CURVE._add_point(a.hex() + "1", b.hex()))[:64], 16)


def _block_cipher(key: bytes, iv: bytes, iv_size: int) -> Any:
    encoding.check_sm4(key, iv, iv_size)
    cipher: Any = sm4.CryptSM4()
    cipher.set_key(key, sm4.SM4_ENCRYPT)
    return lambda data: bytes(cipher.one_round(cipher.sk, list(data)))


def _counter(block: Any, start: int, data: bytes, bits: int = 32) -> bytes:
    """Counter mode; the low ``bits`` of the block count and wrap."""
    fixed, low = start >> bits << bits, (1 << bits) - 1
    out = bytearray()
    for i in range(0, len(data), 16):
        stream = block((fixed | (start + i // 16) & low).to_bytes(16, "big"))
        out += bytes(a ^ b for a, b in zip(data[i : i + 16], stream, strict=False))
    return bytes(out)


def _gcm_tag(block: Any, iv: bytes, cipher: bytes, aad: bytes) -> bytes:
    h = int.from_bytes(block(bytes(16)), "big")
    lengths = (len(aad) * 8).to_bytes(8, "big") + (len(cipher) * 8).to_bytes(8, "big")
    data = aad + bytes(-len(aad) % 16) + cipher + bytes(-len(cipher) % 16) + lengths
    y = 0
    for i in range(0, len(data), 16):
        y = _gf_multiply(y ^ int.from_bytes(data[i : i + 16], "big"), h)
    return (y ^ int.from_bytes(block(iv + b"\0\0\0\1"), "big")).to_bytes(16, "big")


def _gf_multiply(x: int, y: int) -> int:
    """Product in GF(2^128) in the bit order of GCM (NIST SP 800-38D §6.3)."""
    z, v = 0, y
    for bit in range(127, -1, -1):
        if x >> bit & 1:
            z ^= v
        v = v >> 1 ^ (_GCM_POLYNOMIAL if v & 1 else 0)
    return z
