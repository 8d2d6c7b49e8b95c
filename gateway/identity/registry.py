"""Keys and credentials as the ledger's registries hold them now. Nothing else in the gateway knows a public key.

Answers are reused only while the head has not moved, so a key that was rotated or a credential that was revoked stops
working with
the next block.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.ledger.port import Block, Call, Ledger

ACTIVE = 1
CUSTODIAN, READER, REGISTRAR, AUDITOR, OPERATOR = range(5)
"""Bits of an organisation's roles (docs/ledger.md, Alliance)."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A subject's current key. ``public``: x‖y; ``status`` 1 = active; ``version`` counts keys from 1."""

    public: bytes
    status: int
    version: int


@dataclass(frozen=True, slots=True)
class Credential:
    """What an organisation says of a practitioner; times in UTC seconds, ``roles`` a bit set of the vocabulary."""

    organisation: bytes
    public: bytes
    roles: int
    not_before: int
    not_after: int
    status: int

    def valid(self, at: int) -> bool:
        """Whether it may be used at this time."""
        return self.status == ACTIVE and self.not_before <= at < self.not_after


@dataclass(frozen=True, slots=True)
class Organisation:
    """A member: ``status`` 0 none, 1 active, 2 suspended, 3 left, 4 invited; ``roles`` see the bits above;
    ``name_digest``: SM3 of its name."""

    status: int
    roles: int
    public: bytes
    name_digest: bytes

    def has(self, bit: int) -> bool:
        """Whether the alliance gave it this role."""
        return bool(self.roles >> bit & 1)


class Registries:
    """Reads of Identity and Alliance at the head. Thread-safe."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._block: bytes = b""
        self._known: dict[tuple[str, bytes], Any] = {}

    def subject(self, subject: bytes) -> KeyRecord:
        """The subject's key; status 0 where none is bound."""
        return self._at_head("keyOf", subject, self._read_key)  # type: ignore[no-any-return]

    def practitioner(self, practitioner: bytes) -> Credential:
        """The practitioner's credential; status 0 where none was issued."""
        return self._at_head("credentialOf", practitioner, self._read_credential)  # type: ignore[no-any-return]

    def organisation(self, organisation: bytes) -> Organisation:
        """The organisation; status 0 where it is unknown."""
        return self._at_head("organisation", organisation, self._read_organisation)  # type: ignore[no-any-return]

    def _at_head(self, kind: str, name: bytes, read: Callable[[bytes, Block], Any]) -> Any:
        head = self._ledger.head()
        with self._lock:
            if head.hash != self._block:
                self._block, self._known = head.hash, {}
            found = self._known.get((kind, name))
        if found is None:
            found = read(name, head)
            with self._lock:
                if head.hash == self._block:
                    self._known[kind, name] = found
        return found

    def _read_key(self, subject: bytes, at: Block) -> KeyRecord:
        got = self._ledger.read(Call("Identity", "keyOf", {"subject": subject}), at.hash)
        return KeyRecord(got["x"] + got["y"], got["status"], got["version"])

    def _read_credential(self, practitioner: bytes, at: Block) -> Credential:
        got = self._ledger.read(Call("Identity", "credentialOf", {"practitioner": practitioner}), at.hash)
        public = got["x"] + got["y"]
        return Credential(got["organisation"], public, got["roles"], got["notBefore"], got["notAfter"], got["status"])

    def _read_organisation(self, organisation: bytes, at: Block) -> Organisation:
        got = self._ledger.read(Call("Alliance", "organisation", {"id": organisation}), at.hash)
        return Organisation(got["status"], got["roles"], got["x"] + got["y"], got["nameDigest"])
