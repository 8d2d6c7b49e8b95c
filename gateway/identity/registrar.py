"""The registrar: the office that knows which person is which subject, and vouches for a resident's key.

It is a port, because in production it is another process (with its own machine and HSM) that the gateway can ask but not command.
The keyring registrar is for the embedded profile. Digests and codes are those the registrar's own intake makes
(docs/formats.md §1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from core import crypto, enrolment
from core.messages import KeyAttest
from core.words import kind_word, word
from gateway.keyring import Keyring

_RECOVER = "healthtrust/key-recover/v1"


class RegistrarSigner(Protocol):
    """What the gateway asks of the registrar."""

    @property
    def organisation(self) -> bytes:
        """The member organisation it acts as (32 bytes)."""

    def lookup(self, id_number: str) -> bytes:
        """Directory entry (32 bytes) of an ID number, however it was typed."""

    def name_check(self, name: str) -> bytes:
        """What the directory holds in place of a name (32 bytes)."""

    def activation_code(self, subject: bytes, issue: int) -> str:
        """The code handed to the person at the counter; derived, so that no database holds it. ``issue`` counts from 0."""

    def attest(self, domain: bytes, subject: bytes, public: bytes) -> bytes:
        """SM2 signature over the key-attest message (docs/formats.md §4)."""

    def attest_recovery(self, domain: bytes, subject: bytes, public: bytes, nonce: int) -> bytes:
        """SM2 signature over the key-recover message; it takes effect only after the recovery delay."""


class KeyringRegistrar:
    """A registrar whose keys lie in ``<home>/registrar/keys.json``. ``find``: the member with this SM2 key (64 bytes) on
    the ledger."""

    def __init__(self, ring: Keyring, find: Callable[[bytes], bytes]) -> None:
        self._ids = bytes.fromhex(ring.ids)
        self._private = bytes.fromhex(ring.sm2)
        self._find = find

    @property
    def organisation(self) -> bytes:
        """See :class:`RegistrarSigner`."""
        return self._find(crypto.sm2_public(self._private))

    def lookup(self, id_number: str) -> bytes:
        """See :class:`RegistrarSigner`."""
        return enrolment.lookup(self._ids, id_number)

    def name_check(self, name: str) -> bytes:
        """See :class:`RegistrarSigner`."""
        return enrolment.name_check(self._ids, name)

    def activation_code(self, subject: bytes, issue: int) -> str:
        """See :class:`RegistrarSigner`."""
        return enrolment.activation_code(self._ids, subject, issue)

    def attest(self, domain: bytes, subject: bytes, public: bytes) -> bytes:
        """See :class:`RegistrarSigner`."""
        return crypto.sm2_sign(self._private, KeyAttest(domain, subject, public).pack())

    def attest_recovery(self, domain: bytes, subject: bytes, public: bytes, nonce: int) -> bytes:
        """See :class:`RegistrarSigner`."""
        return crypto.sm2_sign(self._private, kind_word(_RECOVER) + domain + subject + public + word(nonce))
