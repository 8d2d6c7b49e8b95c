"""Envelope encryption: every record version has its own SM4 key, wrapped by the organisation's (invariant 9, requirement P62).

Content and wrapped key are SM4-GCM with the record id, version and schema as associated data, so that a blob or a key put in
another record's place does not open. Destroying the wrapped key makes the content unreadable in every copy; index, commitments
and receipts stay as they are (ADR 0008).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from core.crypto import sm4_gcm_decrypt, sm4_gcm_encrypt
from core.errors import DecryptionFailed, HealthTrustError
from offchain.keys import wrap_key_id

_CONTENT = b"healthtrust/record-content/v1\0"
_KEY = b"healthtrust/record-key/v1\0"
_ROW = b"healthtrust/quarantined-row/v1\0"
IV = 12
SALT = 32


class EnvelopeError(HealthTrustError):
    """The envelope does not open: wrong wrapping key, another record's blob, or altered bytes."""

    default_code = "record_unreadable"
    default_zh = "档案无法解密：{detail}。内容未给出，请联系保管机构核查存储。"
    default_en = "The record cannot be decrypted: {detail}. Nothing was handed out; the custodian has to check its store."


class ContentDestroyed(HealthTrustError):
    """The record's key was destroyed; its content cannot be read again by anybody."""

    status = 410
    default_code = "content_destroyed"
    default_zh = "该档案的内容已被永久删除；索引、授权与回执仍可核验。"
    default_en = "The content of this record was erased for good. Its index, consents and receipts can still be verified."


@dataclass(slots=True)
class Sealed:
    """An encrypted record version: ``blob`` goes to the store, ``wrapped`` and ``wrapped_by`` beside the index."""

    blob: bytes
    wrapped: bytes
    wrapped_by: bytes


class Envelope:
    """Seals and opens records under one organisation's wrapping key; older wrapping keys may be given for rotation.

    ``again``: all wrapping keys as they are now, asked for when something lies under a key that is not known yet.
    """

    def __init__(
        self, wrap_key: bytes, older: tuple[bytes, ...] = (), again: Callable[[], Iterable[bytes]] = tuple[bytes, ...]
    ) -> None:
        self._current = wrap_key
        self._id = wrap_key_id(wrap_key)
        self._keys = {wrap_key_id(k): k for k in (wrap_key, *older)}
        self._again = again

    @property
    def wrapped_by(self) -> bytes:
        """Public id (8 bytes) of the key that wraps new records."""
        return self._id

    def seal(self, record: bytes, version: int, schema: bytes, plaintext: bytes) -> Sealed:
        """Encrypt under a fresh key; 28 bytes longer than the plaintext, wrapped key 44 bytes."""
        key = secrets.token_bytes(16)
        name = record + version.to_bytes(4, "big")
        return Sealed(_encrypt(key, plaintext, _CONTENT + name + schema), _encrypt(self._current, key, _KEY + name), self._id)

    def open(self, record: bytes, version: int, schema: bytes, sealed: Sealed) -> bytes:
        """The plaintext. Raises EnvelopeError when anything about it is not as it was sealed."""
        key = self._unwrap(record, version, sealed.wrapped, sealed.wrapped_by)
        return _decrypt(key, sealed.blob, _CONTENT + record + version.to_bytes(4, "big") + schema)

    def rewrap(self, record: bytes, version: int, wrapped: bytes, wrapped_by: bytes) -> tuple[bytes, bytes]:
        """The same record key under the current wrapping key; the content is not touched. Returns (wrapped, wrapped by)."""
        key = self._unwrap(record, version, wrapped, wrapped_by)
        return _encrypt(self._current, key, _KEY + record + version.to_bytes(4, "big")), self._id

    def seal_row(self, context: bytes, row: bytes) -> bytes:
        """Encrypt a quarantined source row under the organisation's key; ``context`` (its digest) is bound to it."""
        return self._id + _encrypt(self._current, row, _ROW + context)

    def reseal_row(self, context: bytes, blob: bytes) -> bytes:
        """The same quarantined row under the current wrapping key."""
        return self.seal_row(context, self.open_row(context, blob))

    def open_row(self, context: bytes, blob: bytes) -> bytes:
        """A quarantined row in the clear. Raises EnvelopeError."""
        return _decrypt(self._key(blob[:8]), blob[8:], _ROW + context)

    def _unwrap(self, record: bytes, version: int, wrapped: bytes, wrapped_by: bytes) -> bytes:
        return _decrypt(self._key(wrapped_by), wrapped, _KEY + record + version.to_bytes(4, "big"))

    def _key(self, name: bytes) -> bytes:
        if name not in self._keys:
            self._keys |= {wrap_key_id(k): k for k in self._again()}
        if name not in self._keys:
            raise EnvelopeError(detail=f"wrapped by key {name.hex()}, which is not in the keyring")
        return self._keys[name]


def _encrypt(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    iv = secrets.token_bytes(IV)
    return iv + sm4_gcm_encrypt(key, iv, plaintext, aad)


def _decrypt(key: bytes, blob: bytes, aad: bytes) -> bytes:
    try:
        return sm4_gcm_decrypt(key, blob[:IV], blob[IV:], aad)
    except DecryptionFailed as error:
        raise EnvelopeError(detail="other key, other record, or altered bytes") from error
