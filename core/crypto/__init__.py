"""National cryptography (SM2, SM3, SM4) behind one engine port. Call the functions of this module; choose the engine once at
start-up.

from core import crypto
pair = crypto.sm2_generate()
signature = crypto.sm2_sign(pair.private, b"message")
assert crypto.sm2_verify(pair.public, b"message", signature)
"""

from __future__ import annotations

from typing import cast

from core.crypto.engines import gmsm
from core.crypto.engines.openssl import OpenSSLEngine
from core.crypto.port import USER_ID, Engine, KeyPair

__all__ = [
    "USER_ID",
    "Engine",
    "KeyPair",
    "engine",
    "hmac_sm3",
    "load",
    "sm2_decrypt",
    "sm2_encrypt",
    "sm2_generate",
    "sm2_public",
    "sm2_sign",
    "sm2_verify",
    "sm3",
    "sm4_ctr",
    "sm4_gcm_decrypt",
    "sm4_gcm_encrypt",
    "use",
]


def _auto() -> Engine:
    return gmsm.GmsmEngine() if gmsm.path().is_file() else OpenSSLEngine()


_engine: Engine = _auto()


def engine() -> Engine:
    """The engine in use."""
    return _engine


def load(name: str) -> Engine:
    """A new engine by name: ``auto`` (``gmsm`` where it is built, else ``openssl``), ``gmsm``, ``openssl``, ``reference``, or one
    of the entry-point group ``healthtrust.crypto``. LookupError if unknown or not built."""
    if name == "auto":
        return _auto()
    if name == "openssl":
        return OpenSSLEngine()
    if name == "gmsm":
        if not gmsm.path().is_file():
            raise LookupError(f"the crypto engine gmsm is not built ({gmsm.path()} is missing): run `make engine`")
        return gmsm.GmsmEngine()
    if name == "reference":
        from core.crypto.engines.reference import ReferenceEngine

        return ReferenceEngine()
    from importlib.metadata import entry_points

    for point in entry_points(group="healthtrust.crypto", name=name):
        return cast(Engine, point.load()())
    raise LookupError(f"no crypto engine {name!r}: auto, gmsm, openssl, reference, or an entry point of group healthtrust.crypto")


def use(chosen: Engine | str) -> Engine:
    """Make ``chosen`` (an engine, or a name for :func:`load`) the engine of this process; returns the one used before. Once,
    at start-up."""
    global _engine
    before, _engine = _engine, load(chosen) if isinstance(chosen, str) else chosen
    return before


def sm3(data: bytes) -> bytes:
    """32-byte digest (GB/T 32905)."""
    return _engine.sm3(data)


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """32-byte HMAC under SM3."""
    return _engine.hmac_sm3(key, data)


def sm2_generate() -> KeyPair:
    """Fresh SM2 key pair."""
    return _engine.sm2_generate()


def sm2_public(private: bytes) -> bytes:
    """Public key x‖y (64 bytes) of a private key (32 bytes). KeyMalformed if out of range."""
    return _engine.sm2_public(private)


def sm2_sign(private: bytes, message: bytes, uid: bytes = USER_ID) -> bytes:
    """Signature r‖s (64 bytes) over SM3(Z ‖ message) (GB/T 32918.2). KeyMalformed if the key is out of range."""
    return _engine.sm2_sign(private, message, uid)


def sm2_verify(public: bytes, message: bytes, signature: bytes, uid: bytes = USER_ID) -> bool:
    """Whether r‖s holds for the message. False for any bad signature; KeyMalformed if ``public`` is not x‖y on the curve."""
    return _engine.sm2_verify(public, message, signature, uid)


def sm2_encrypt(public: bytes, plain: bytes) -> bytes:
    """``04‖x‖y‖C3‖C2`` (GB/T 32918.4) of at least one byte."""
    return _engine.sm2_encrypt(public, plain)


def sm2_decrypt(private: bytes, cipher: bytes) -> bytes:
    """Inverse of :func:`sm2_encrypt`. DecryptionFailed if it was changed or meant for another key."""
    return _engine.sm2_decrypt(private, cipher)


def sm4_gcm_encrypt(key: bytes, iv: bytes, plain: bytes, aad: bytes = b"") -> bytes:
    """SM4-GCM ciphertext with the 16-byte tag appended; key 16 bytes, iv 12 bytes, never reused under one key."""
    return _engine.sm4_gcm_encrypt(key, iv, plain, aad)


def sm4_gcm_decrypt(key: bytes, iv: bytes, cipher: bytes, aad: bytes = b"") -> bytes:
    """Inverse of :func:`sm4_gcm_encrypt`. DecryptionFailed if anything was changed."""
    return _engine.sm4_gcm_decrypt(key, iv, cipher, aad)


def sm4_ctr(key: bytes, iv: bytes, data: bytes) -> bytes:
    """SM4 in counter mode (encrypts and decrypts); key and first counter block 16 bytes. Not authenticated."""
    return _engine.sm4_ctr(key, iv, data)
