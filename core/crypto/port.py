"""What an engine of national cryptography must do (GB/T 32905 SM3, 32907 SM4, 32918 SM2).

An engine is any object with these methods. Three are shipped: :mod:`core.crypto.engines.gmsm` (the default where its library is
built), :mod:`core.crypto.engines.openssl` (the default elsewhere) and :mod:`core.crypto.engines.reference` (pure Python,
independent). A hardware module is a fourth: write a class with these methods, in a package of its own, and install it with
``core.crypto.use(engine)`` at start-up, or name it in the entry-point group ``healthtrust.crypto`` and in the settings
(``crypto_engine``). Keys that never leave the module are passed as the 32 bytes of its own handle; nothing above this port looks
into a private key. ``tests/core/test_crypto_vectors.py`` must pass for it.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

USER_ID = b"1234567812345678"
"""SM2 user id of every signature of ours (GM/T 0009)."""


class KeyPair(NamedTuple):
    """``private``: 32 bytes in [1, n−2]. ``public``: x‖y, 64 bytes."""

    private: bytes
    public: bytes


class Engine(Protocol):
    """One implementation of the algorithms. Methods are thread-safe. Key and ciphertext errors are typed (``core.errors``)."""

    @property
    def name(self) -> str:
        """What people and settings call it."""

    def sm3(self, data: bytes) -> bytes:
        """32-byte digest."""

    def hmac_sm3(self, key: bytes, data: bytes) -> bytes:
        """32-byte HMAC (GB/T 15852.2) under a key of any length."""

    def sm2_generate(self) -> KeyPair:
        """Fresh key pair from the system's random source."""

    def sm2_public(self, private: bytes) -> bytes:
        """Public key of a private key. KeyMalformed if the key is out of range."""

    def sm2_sign(self, private: bytes, message: bytes, uid: bytes = USER_ID) -> bytes:
        """r‖s (64 bytes) over SM3(Z ‖ message) (GB/T 32918.2)."""

    def sm2_verify(self, public: bytes, message: bytes, signature: bytes, uid: bytes = USER_ID) -> bool:
        """False for any signature that does not hold; KeyMalformed for bytes that are no public key."""

    def sm2_encrypt(self, public: bytes, plain: bytes) -> bytes:
        """``04‖x‖y‖C3‖C2`` (GB/T 32918.4); ``plain`` has at least 1 byte."""

    def sm2_decrypt(self, private: bytes, cipher: bytes) -> bytes:
        """Inverse of :meth:`sm2_encrypt`; DecryptionFailed if C3 does not match."""

    def sm4_gcm_encrypt(self, key: bytes, iv: bytes, plain: bytes, aad: bytes) -> bytes:
        """Ciphertext with the 16-byte tag appended. Key 16 bytes, iv 12 bytes and never used twice with one key."""

    def sm4_gcm_decrypt(self, key: bytes, iv: bytes, cipher: bytes, aad: bytes) -> bytes:
        """Inverse of :meth:`sm4_gcm_encrypt`; DecryptionFailed if the tag does not match."""

    def sm4_ctr(self, key: bytes, iv: bytes, data: bytes) -> bytes:
        """Counter mode, its own inverse. Key and initial counter block 16 bytes. Unauthenticated: the caller adds a MAC."""
