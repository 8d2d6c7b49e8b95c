"""The engine that needs no building: SM3 and HMAC from hashlib, SM4 from cryptography, SM2 from Tongsuo (an OpenSSL fork)
through tongsuopy.

SM2 goes through ``EVP_PKEY_sign``/``verify`` over the digest e = SM3(Z ‖ message) made here, so that the user id is explicit
and Z is computed once a key. Parsed keys are kept in a small cache. Encryption uses only the library's point multiplication:
its own SM2 decryption has a history of buffer overflows (CVE-2021-3711).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from tongsuopy.backends.tongsuo import backend as _backend
from tongsuopy.crypto.asymciphers import ec as _ec

from core.crypto import encoding
from core.crypto.port import USER_ID, KeyPair
from core.errors import DecryptionFailed, HealthTrustError

_lib, _ffi = _backend._lib, _backend._ffi
_EMPTY_SM3 = hashlib.new("sm3")
_CURVE = _ec.SM2()


class OpenSSLEngine:
    """See the module text. Stateless but for the key cache; thread-safe."""

    @property
    def name(self) -> str:
        return "openssl"

    def sm3(self, data: bytes) -> bytes:
        h = _EMPTY_SM3.copy()
        h.update(data)
        return h.digest()

    def hmac_sm3(self, key: bytes, data: bytes) -> bytes:
        return hmac.digest(key, data, "sm3")

    def sm2_generate(self) -> KeyPair:
        private = (secrets.randbelow(encoding.N - 2) + 1).to_bytes(32, "big")
        return KeyPair(private, self.sm2_public(private))

    def sm2_public(self, private: bytes) -> bytes:
        return _private_key(private)[1]

    def sm2_sign(self, private: bytes, message: bytes, uid: bytes = USER_ID) -> bytes:
        key, public = _private_key(private)
        e = self.sm3(encoding.sm2_z(public, uid) + message)
        context = _context(key, _lib.EVP_PKEY_sign_init)
        size, out = _ffi.new("size_t *", 80), _ffi.new("unsigned char[]", 80)
        if _lib.EVP_PKEY_sign(context, out, size, e, len(e)) != 1:
            raise failed("sign")
        return encoding.der_to_raw(bytes(_ffi.buffer(out, size[0])))

    def sm2_verify(self, public: bytes, message: bytes, signature: bytes, uid: bytes = USER_ID) -> bool:
        key = _public_key(public)
        if encoding.signature_numbers(signature) is None:
            return False
        e = self.sm3(encoding.sm2_z(public, uid) + message)
        der = encoding.raw_to_der(signature)
        held = _lib.EVP_PKEY_verify(_context(key, _lib.EVP_PKEY_verify_init), der, len(der), e, len(e)) == 1
        if not held:
            _backend._consume_errors()
        return bool(held)

    def sm2_encrypt(self, public: bytes, plain: bytes) -> bytes:
        encoding.check_plain(plain)
        encoding.check_public(public)
        while True:
            k = secrets.randbelow(encoding.N - 1) + 1
            shared = _multiply(k, public)
            mask = kdf(shared, len(plain))
            if any(mask):
                c3 = self.sm3(shared[:32] + plain + shared[32:])
                return b"\x04" + _multiply(k, None) + c3 + _xor(plain, mask)

    def sm2_decrypt(self, private: bytes, cipher: bytes) -> bytes:
        d = encoding.check_private(private)
        shared = _multiply(d, encoding.check_cipher(cipher)[1:65])
        plain = _xor(cipher[97:], kdf(shared, len(cipher) - 97))
        if not hmac.compare_digest(self.sm3(shared[:32] + plain + shared[32:]), cipher[65:97]):
            raise DecryptionFailed()
        return plain

    def sm4_gcm_encrypt(self, key: bytes, iv: bytes, plain: bytes, aad: bytes) -> bytes:
        encoding.check_sm4(key, iv, 12)
        encryptor = Cipher(algorithms.SM4(key), modes.GCM(iv)).encryptor()
        encryptor.authenticate_additional_data(aad)
        return encryptor.update(plain) + encryptor.finalize() + encryptor.tag

    def sm4_gcm_decrypt(self, key: bytes, iv: bytes, cipher: bytes, aad: bytes) -> bytes:
        encoding.check_sm4(key, iv, 12)
        if len(cipher) < 16:
            raise DecryptionFailed()
        decryptor = Cipher(algorithms.SM4(key), modes.GCM(iv, cipher[-16:])).decryptor()
        decryptor.authenticate_additional_data(aad)
        try:
            return decryptor.update(cipher[:-16]) + decryptor.finalize()
        except InvalidTag as e:
            raise DecryptionFailed() from e

    def sm4_ctr(self, key: bytes, iv: bytes, data: bytes) -> bytes:
        encoding.check_sm4(key, iv, 16)
        encryptor = Cipher(algorithms.SM4(key), modes.CTR(iv)).encryptor()
        return encryptor.update(data) + encryptor.finalize()


def kdf(shared: bytes, size: int) -> bytes:
    """Key derivation of GB/T 32918.4 §5.4.3: SM3(shared ‖ counter u32 from 1), ``size`` bytes."""
    blocks = (hashlib.new("sm3", shared + i.to_bytes(4, "big")).digest() for i in range(1, (size + 31) // 32 + 1))
    return b"".join(blocks)[:size]


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big")


@lru_cache(maxsize=encoding.KEYS)
def _private_key(private: bytes) -> tuple[Any, bytes]:
    key = _ec.derive_private_key(encoding.check_private(private), _CURVE)
    point = key.public_key().public_numbers()
    return key, point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")


@lru_cache(maxsize=encoding.KEYS)
def _public_key(public: bytes) -> Any:
    encoding.check_public(public)
    return _ec.EllipticCurvePublicNumbers(
        int.from_bytes(public[:32], "big"), int.from_bytes(public[32:], "big"), _CURVE
    ).public_key()


def _context(key: Any, start: Any) -> Any:
    context = _ffi.gc(_lib.EVP_PKEY_CTX_new(key._evp_pkey, _ffi.NULL), _lib.EVP_PKEY_CTX_free)
    if start(context) != 1:
        raise failed("init")
    return context


def failed(step: str) -> HealthTrustError:
    """What an engine raises when its library does."""
    _backend._consume_errors()
    return HealthTrustError(
        "crypto_engine_failed",
        "密码引擎出错（{step}），请重试或更换引擎。",
        "The crypto engine failed ({step}). Retry.",
        step=step,
    )


def _multiply(k: int, public: bytes | None) -> bytes:
    """x‖y of k·P (P = the public key, or the generator for None)."""
    group = _ffi.gc(_lib.EC_GROUP_new_by_curve_name(_backend._elliptic_curve_to_nid(_CURVE)), _lib.EC_GROUP_free)
    scalar = _ffi.gc(_lib.BN_bin2bn(k.to_bytes(32, "big"), 32, _ffi.NULL), _lib.BN_clear_free)
    result = _ffi.gc(_lib.EC_POINT_new(group), _lib.EC_POINT_clear_free)
    if public is None:
        done = _lib.EC_POINT_mul(group, result, scalar, _ffi.NULL, _ffi.NULL, _ffi.NULL)
    else:
        point = _ffi.gc(_lib.EC_POINT_new(group), _lib.EC_POINT_free)
        done = _lib.EC_POINT_oct2point(group, point, b"\x04" + public, 65, _ffi.NULL)
        done = done == 1 and _lib.EC_POINT_mul(group, result, _ffi.NULL, point, scalar, _ffi.NULL)
    out = _ffi.new("unsigned char[]", 65)
    form = _lib.POINT_CONVERSION_UNCOMPRESSED
    if done != 1 or _lib.EC_POINT_point2oct(group, result, form, out, 65, _ffi.NULL) != 65:
        raise failed("multiply")
    return bytes(_ffi.buffer(out, 65))[1:]
