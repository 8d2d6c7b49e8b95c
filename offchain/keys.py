"""What a custodian and the registrar derive from their keyrings: ids, fingerprints, lookups (docs/formats.md §1).

Each use has its own prefix, so that a value made for one purpose never equals one made for another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from core import enrolment, ids
from core.crypto import hmac_sm3, sm3
from gateway.keyring import Keyring

_FINGERPRINT = b"healthtrust/source-fingerprint/v1\0"
_WRAP_ID = b"healthtrust/wrap-key-id/v1\0"


@dataclass(frozen=True)
class CustodianKeys:
    """Derivations of one custodian. Holds secrets: not logged."""

    ring: Keyring

    def __repr__(self) -> str:
        return f"CustodianKeys({self.ring.name!r})"

    @cached_property
    def _ids(self) -> bytes:
        return bytes.fromhex(self.ring.ids)

    @cached_property
    def wrap(self) -> bytes:
        """SM4 key (16 bytes) that wraps record keys."""
        return bytes.fromhex(self.ring.wrap)

    def record_id(self, source: str, source_id: str) -> bytes:
        """Record id (32 bytes): the same through all versions of the record."""
        return ids.record_id(self._ids, source, source_id)

    def fingerprint(self, raw: bytes) -> bytes:
        """Keyed digest (32 bytes) of a source row, to see tomorrow whether it changed; useless to guess contents with."""
        return hmac_sm3(self._ids, _FINGERPRINT + raw)


@dataclass(frozen=True)
class RegistrarKeys:
    """Derivations of the registrar: subjects and the enrolment directory. Holds secrets: not logged."""

    ring: Keyring

    def __repr__(self) -> str:
        return f"RegistrarKeys({self.ring.name!r})"

    @cached_property
    def _ids(self) -> bytes:
        return bytes.fromhex(self.ring.ids)

    def identifier(self, system: str, value: str) -> bytes:
        """Digest (32 bytes) of one identifier; that of a person's first identifier is the subject id."""
        return ids.subject_id(self._ids, system, value)

    def lookup(self, id_number: str) -> bytes:
        """Directory key (32 bytes) of an ID number, however it was typed."""
        return enrolment.lookup(self._ids, id_number)

    def name_check(self, name: str) -> bytes:
        """Check value (32 bytes) of a name, however it was spaced or cased."""
        return enrolment.name_check(self._ids, name)

    def activation_code(self, subject: bytes) -> str:
        """The code handed to the person at the counter; stored nowhere."""
        return enrolment.activation_code(self._ids, subject)


def wrap_key_id(key: bytes) -> bytes:
    """Public 8-byte name of a wrapping key, stored beside what it wrapped."""
    return sm3(_WRAP_ID + key)[:8]
