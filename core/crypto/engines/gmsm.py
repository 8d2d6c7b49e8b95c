"""The fast engine: SM2 and SM4-GCM from gmsm (Go, with assembly for this curve and cipher), everything else as in the OpenSSL
engine, which is as fast there.

gmsm is built as a C library (``library/``, pinned modules, ``make engine``) and called through cffi, which lets other threads run
meanwhile. The library is loaded at the first operation that needs it. A Go runtime does not survive a fork: a child that was
forked off a process with the library in it works with OpenSSL instead; one that was forked before loads its own.
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

from cffi import FFI  # type: ignore[import-untyped]

from core.crypto import encoding
from core.crypto.engines.openssl import OpenSSLEngine, failed
from core.crypto.port import USER_ID
from core.errors import DecryptionFailed

VERSION = 1
"""``ht_version`` of the library that this module can call."""
NAME = "libgmsm.so"
_DONE, _REFUSED = 1, 0
_TAG = 16
_IN, _OUT = "const uint8_t *, size_t", "uint8_t *, size_t"
_ffi = FFI()
_ffi.cdef(
    f"""
    int32_t ht_version(void);
    int32_t ht_sm2_public({_IN}, {_OUT});
    int32_t ht_sm2_sign({_IN}, {_IN}, {_OUT});
    int32_t ht_sm2_verify({_IN}, {_IN}, {_IN});
    int32_t ht_sm2_encrypt({_IN}, {_IN}, {_OUT});
    int32_t ht_sm2_decrypt({_IN}, {_IN}, {_OUT});
    int32_t ht_sm4_seal({_IN}, {_IN}, {_IN}, {_IN}, {_OUT});
    int32_t ht_sm4_open({_IN}, {_IN}, {_IN}, {_IN}, {_OUT});
    """
)


def path() -> Path:
    """Where the library is, once it is built: among the ready programs that ``HEALTHTRUST_BINARIES`` names, else in this
    package."""
    ready = os.environ.get("HEALTHTRUST_BINARIES")
    return Path(ready) / NAME if ready else Path(__file__).with_name("library") / NAME


class _Library:
    """The library in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: Any = None
        self._tried = False
        os.register_at_fork(after_in_child=self._forked)

    def get(self) -> Any:
        """Its functions, or None where it is not to be had: not built, of another version or machine, or of a parent process."""
        if self._tried:
            return self._loaded
        with self._lock:
            if not self._tried:
                self._loaded, self._tried = _load(), True
        return self._loaded

    def _forked(self) -> None:
        # Another thread of the parent may have held the lock; where it was loading, its runtime is half of one.
        busy = self._lock.locked()
        self._lock = threading.Lock()
        self._tried = self._tried or busy
        self._loaded = None


def _load() -> Any:
    try:
        library = _ffi.dlopen(str(path()))
        return library if library.ht_version() == VERSION else None
    except (OSError, AttributeError):
        return None


_library = _Library()


class GmsmEngine(OpenSSLEngine):
    """See the module text. Thread-safe; the library keeps keys parsed."""

    @property
    def name(self) -> str:
        """``gmsm``, or ``openssl`` where this process has to do without the library."""
        return super().name if _library.get() is None else "gmsm"

    def sm2_public(self, private: bytes) -> bytes:
        return super().sm2_public(private) if _library.get() is None else _public_of(private)

    def sm2_sign(self, private: bytes, message: bytes, uid: bytes = USER_ID) -> bytes:
        library = _library.get()
        if library is None:
            return super().sm2_sign(private, message, uid)
        e = self.sm3(encoding.sm2_z(_public_of(private), uid) + message)
        out = _ffi.new("uint8_t[]", 64)
        _done(library.ht_sm2_sign(private, len(private), e, len(e), out, 64), "sign")
        return bytes(_ffi.buffer(out))

    def sm2_verify(self, public: bytes, message: bytes, signature: bytes, uid: bytes = USER_ID) -> bool:
        library = _library.get()
        if library is None:
            return super().sm2_verify(public, message, signature, uid)
        _check_public(public)
        if encoding.signature_numbers(signature) is None:
            return False
        e = self.sm3(encoding.sm2_z(public, uid) + message)
        return _held(library.ht_sm2_verify(public, len(public), e, len(e), signature, len(signature)), "verify")

    def sm2_encrypt(self, public: bytes, plain: bytes) -> bytes:
        library = _library.get()
        if library is None:
            return super().sm2_encrypt(public, plain)
        encoding.check_plain(plain)
        _check_public(public)
        out = bytearray(encoding.OVERHEAD + len(plain))
        _done(library.ht_sm2_encrypt(public, len(public), plain, len(plain), _ffi.from_buffer(out), len(out)), "encrypt")
        return bytes(out)

    def sm2_decrypt(self, private: bytes, cipher: bytes) -> bytes:
        library = _library.get()
        # gmsm takes a C2 of zeros for a key stream of zeros; of one byte it is every 256th good cipher.
        if library is None or not any(cipher[encoding.OVERHEAD :]):
            return super().sm2_decrypt(private, cipher)
        encoding.check_private(private)
        encoding.check_cipher(cipher)
        out = bytearray(len(cipher) - encoding.OVERHEAD)
        code = library.ht_sm2_decrypt(private, len(private), cipher, len(cipher), _ffi.from_buffer(out), len(out))
        if not _held(code, "decrypt"):
            raise DecryptionFailed()
        return bytes(out)

    def sm4_gcm_encrypt(self, key: bytes, iv: bytes, plain: bytes, aad: bytes) -> bytes:
        library = _library.get()
        if library is None:
            return super().sm4_gcm_encrypt(key, iv, plain, aad)
        encoding.check_sm4(key, iv, 12)
        out = bytearray(len(plain) + _TAG)
        taken = (key, len(key), iv, len(iv), plain, len(plain), aad, len(aad))
        _done(library.ht_sm4_seal(*taken, _ffi.from_buffer(out), len(out)), "encrypt")
        return bytes(out)

    def sm4_gcm_decrypt(self, key: bytes, iv: bytes, cipher: bytes, aad: bytes) -> bytes:
        library = _library.get()
        if library is None:
            return super().sm4_gcm_decrypt(key, iv, cipher, aad)
        encoding.check_sm4(key, iv, 12)
        if len(cipher) < _TAG:
            raise DecryptionFailed()
        out = bytearray(len(cipher) - _TAG)
        taken = (key, len(key), iv, len(iv), cipher, len(cipher), aad, len(aad))
        if not _held(library.ht_sm4_open(*taken, _ffi.from_buffer(out), len(out)), "decrypt"):
            raise DecryptionFailed()
        return bytes(out)


@lru_cache(maxsize=encoding.KEYS)
def _public_of(private: bytes) -> bytes:
    encoding.check_private(private)
    out = _ffi.new("uint8_t[]", 64)
    _done(_library.get().ht_sm2_public(private, len(private), out, 64), "public key")
    return bytes(_ffi.buffer(out))


@lru_cache(maxsize=encoding.KEYS)
def _check_public(public: bytes) -> None:
    encoding.check_public(public)


def _held(code: int, step: str) -> bool:
    """Whether the library says that it holds. What it cannot say is an error: keys and sizes were checked before."""
    if code not in (_DONE, _REFUSED):
        raise failed(step)
    return code == _DONE


def _done(code: int, step: str) -> None:
    if code != _DONE:
        raise failed(step)
