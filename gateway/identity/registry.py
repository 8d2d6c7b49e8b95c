"""Keys and credentials as the ledger's registries hold them now. Nothing else in the gateway knows a public key.

Answers are reused only while the head has not moved, so a key that was rotated or a credential that was revoked stops
working with the next block.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gateway.ledger.port import Block, Call, Ledger
from gateway.ledger.reasons import LedgerError, Reason

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


class Register:
    """Identity and Alliance as of one block, the head when something was first asked. What was read is kept with its block and
    shared by all who ask at it. Thread-safe."""

    def __init__(self, ledger: Ledger, head: Block) -> None:
        self.head = head
        self._ledger = ledger
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, bytes], Future[Any]] = {}

    def subject(self, subject: bytes) -> KeyRecord:
        """The subject's key; status 0 where none is bound."""
        return self._once("keyOf", subject, self._read_key)  # type: ignore[no-any-return]

    def practitioner(self, practitioner: bytes) -> Credential:
        """The practitioner's credential; status 0 where none was issued."""
        return self._once("credentialOf", practitioner, self._read_credential)  # type: ignore[no-any-return]

    def organisation(self, organisation: bytes) -> Organisation:
        """The organisation; status 0 where it is unknown."""
        return self._once("organisation", organisation, self._read_organisation)  # type: ignore[no-any-return]

    def _once(self, kind: str, name: bytes, read: Callable[[bytes], Any]) -> Any:
        """The answer known at this block. Who asks what another is asking waits for that answer: with every block all callers
        come at once."""
        known = self._answers.get((kind, name))
        if known is not None:
            return known.result()
        with self._lock:
            mine = (kind, name) not in self._answers
            answer = self._answers.setdefault((kind, name), Future())
        if mine:
            try:
                answer.set_result(read(name))
            except BaseException as error:
                del self._answers[kind, name]  # whoever waits is told; whoever comes next asks again
                answer.set_exception(error)
        return answer.result()

    def _read(self, contract: str, method: str, **args: bytes) -> Any:
        call = Call(contract, method, args)
        try:
            return self._ledger.read(call, self.head.hash)
        except LedgerError as error:
            if error.reason is not Reason.NOT_FOUND or self._ledger.info().history:
                raise
            return self._ledger.read(call)  # the head moved on and no older state is kept: what holds now is newer still

    def _read_key(self, subject: bytes) -> KeyRecord:
        got = self._read("Identity", "keyOf", subject=subject)
        return KeyRecord(got["x"] + got["y"], got["status"], got["version"])

    def _read_credential(self, practitioner: bytes) -> Credential:
        got = self._read("Identity", "credentialOf", practitioner=practitioner)
        public = got["x"] + got["y"]
        return Credential(got["organisation"], public, got["roles"], got["notBefore"], got["notAfter"], got["status"])

    def _read_organisation(self, organisation: bytes) -> Organisation:
        got = self._read("Alliance", "organisation", id=organisation)
        return Organisation(got["status"], got["roles"], got["x"] + got["y"], got["nameDigest"])


class Registries:
    """The registers at the head. Thread-safe."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._newest: Register | None = None

    def now(self) -> Register:
        """The register at the head, which is asked for now. Raises LedgerError like :meth:`Ledger.head`."""
        head, known = self._ledger.head(), self._newest
        if known is None or known.head.hash != head.hash:
            known = self._newest = Register(self._ledger, head)
        return known


class Glance:
    """The register one request works with: the head is asked for when it first needs one, after it has come in, and once."""

    def __init__(self, registries: Registries) -> None:
        self._registries = registries

    @cached_property
    def register(self) -> Register:
        """The register at that head."""
        return self._registries.now()
