"""Consent artefacts as they come with a request: opened with the custodian's key, checked whole, kept opened while they are used.
What two people signed in an emergency comes in the same place, unsealed.

Opening takes an SM2 decryption and a verification; a doctor sends the same artefact with every read. What is kept is bound to
the sealed bytes, so another artefact under the same consent id is opened afresh. Keeping it decides nothing: its commitment
is compared with the ledger's at every decision.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from core.artefact import ConsentArtefact, open_sealed
from core.crypto import sm3
from core.decision import UNOPENED, Opened, open_scope
from core.emergency import KIND as EMERGENCY
from core.emergency import EmergencyArtefact
from core.errors import HealthTrustError
from core.words import ZERO

KEPT = 4096


class Unreadable(Exception):
    """Not sealed for this custodian, damaged, or of another consent or emergency than named."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the caller shows of a consent. ``words`` and ``salt``: as the contract takes them; ``scope``: the same hashed and
    parsed; ``artefact``: None where the opened scope alone was shown."""

    words: bytes
    salt: bytes
    scope: Opened
    artefact: ConsentArtefact | EmergencyArtefact | None = None


NOTHING = Shown(b"", ZERO, UNOPENED)


class Artefacts:
    """Opens sealed artefacts for one custodian (``recipient``: its id; ``private``: its SM2 key; ``former``: those before it,
    for which consents given until then were sealed)."""

    def __init__(self, recipient: bytes, private: bytes, former: Sequence[bytes] = ()) -> None:
        self._recipient = recipient
        self._privates = (private, *former)
        self._opened: OrderedDict[bytes, Shown] = OrderedDict()

    def open(self, consent: bytes | None, sealed: dict[str, Any] | None) -> Shown:
        """The opened artefact; NOTHING where none was sent. Raises Unreadable."""
        if sealed is None:
            return NOTHING
        try:
            name = sm3(orjson.dumps(sealed))
        except orjson.JSONEncodeError as e:  # nested deeper than anything that was ever sealed
            raise Unreadable from e
        shown = self._opened.get(name) or self._open(name, sealed)
        if shown.artefact is None or shown.artefact.consent != consent:
            raise Unreadable
        return shown

    def _open(self, name: bytes, sealed: dict[str, Any]) -> Shown:
        try:
            artefact = self._parsed(sealed)
        except HealthTrustError as e:
            raise Unreadable from e
        words = artefact.scope.words()
        shown = Shown(words, artefact.salt, open_scope(words, artefact.salt), artefact)
        self._opened[name] = shown
        if len(self._opened) > KEPT:
            self._opened.popitem(last=False)
        return shown

    def _parsed(self, sealed: dict[str, Any]) -> ConsentArtefact | EmergencyArtefact:
        if sealed.get("kind") == EMERGENCY:
            return EmergencyArtefact.from_json(sealed)
        for private in self._privates[:-1]:
            with suppress(HealthTrustError):
                return open_sealed(sealed, self._recipient, private)
        return open_sealed(sealed, self._recipient, self._privates[-1])
