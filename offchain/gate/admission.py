"""Who is asking: RFC 9421 signature, freshness, replay, with keys the ledger holds now (docs/formats.md §8, invariant 6)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from core import crypto
from core.errors import SignatureInvalid
from core.hexes import to_bytes
from core.httpsig import MemoryNonces, SignedRequest, parse_and_verify
from core.words import ZERO
from gateway.settings import PolicySettings
from offchain.gate.limits import Limits
from offchain.gate.refusals import Refused
from offchain.gate.view import Caller, LedgerSilent, LedgerView, Standing

_KEYID = re.compile(r';keyid="(practitioner|subject):(0x[0-9a-f]{64})";')
REMEMBERED_KEYS = 10_000


@dataclass(slots=True)
class Incoming:
    """An HTTP request. ``target``: the public URL the caller used; ``headers``: lower-case names."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Admitted:
    """A caller whose signature held, and what the ledger says of it and the consent it names. ``silent``: the ledger gave no
    answer, and the signature was checked with the key it named last; such a caller is only told so."""

    signed: SignedRequest
    caller: Caller
    standing: Standing | None
    silent: LedgerSilent | None

    @property
    def nonce(self) -> bytes:
        """Tag of key and nonce, as the receipt log keeps it."""
        return crypto.sm3(f"{self.signed.keyid}\0{self.signed.nonce}".encode())


class Admission:
    """Checks callers of one gate."""

    def __init__(
        self, view: LedgerView, policy: PolicySettings, limits: Limits, clock: Callable[[], float], forgotten_before: int = 0
    ) -> None:
        """``forgotten_before``: UTC seconds up to which used nonces are unknown (:meth:`Settings.forgotten_before`)."""
        self._view = view
        self._limits = limits
        self._policy = policy
        self._clock = clock
        # Nothing is refused as older than our start: the receipt log remembers the nonces through restarts and for all processes
        # (but not through a restore of an older copy); this memory only catches a copy that comes while the first is still being
        # answered.
        self._nonces = MemoryNonces(started=forgotten_before)
        self._keys: dict[Caller, bytes] = {}

    async def admit(self, incoming: Incoming, consent: bytes | None) -> Admitted:
        """Who signed. Raises SignatureInvalid, TooManyRequests; Refused when the ledger is silent and the caller cannot be told
        from a stranger."""
        caller = caller_of(incoming.headers)
        try:
            standing = await self._view.standing(caller, consent or ZERO)
        except LedgerSilent as silent:
            if caller not in self._keys:
                raise Refused(silent.code) from silent
            return Admitted(self._verify(incoming, self._keys[caller]), caller, None, silent)
        signed = self._verify(incoming, standing.public)
        self._remember(caller, signed.public)
        return Admitted(signed, caller, standing, None)

    def _verify(self, incoming: Incoming, public: bytes | None) -> SignedRequest:
        signed = parse_and_verify(
            incoming.headers,
            incoming.method,
            incoming.target,
            incoming.body,
            lambda _party, _id: public,
            int(self._clock()),
            self._nonces,
            max_life=self._policy.signature_max_age_seconds,
            max_skew=self._policy.clock_skew_seconds,
        )
        self._limits.signer(signed.keyid)
        return signed

    def _remember(self, caller: Caller, public: bytes) -> None:
        if len(self._keys) >= REMEMBERED_KEYS:
            self._keys.clear()
        self._keys[caller] = public


def caller_of(headers: dict[str, str]) -> Caller:
    """Who says to have signed. Raises SignatureInvalid for anything but a practitioner or a subject: organisations read
    through people."""
    match = _KEYID.search(headers.get("signature-input", ""))
    if match is None:
        raise SignatureInvalid(detail="a record is asked for with a practitioner's or the resident's own signature")
    return Caller(cast(Literal["practitioner", "subject"], match[1]), to_bytes(match[2]))
