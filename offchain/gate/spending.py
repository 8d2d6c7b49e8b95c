"""Spending a use of a consent that limits them: on the ledger, settled, before a byte leaves (docs/formats.md §5, use chain).

Use k is spent by showing ``SM3^(n−k)(seed)``; the contract takes each value once. Of two gates that show the same value one
is refused and looks again whether uses are left. A crash after the spending leaves a use spent and nothing read: the safe
side.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Protocol

from core.artefact import ConsentArtefact
from core.hexes import to_hex
from core.ids import use_preimage
from gateway.ledger import outbox
from gateway.ledger.db import writing
from gateway.ledger.outbox import Operation, Sessions
from gateway.ledger.port import Call, Ledger
from offchain.gate.keeper import drive
from offchain.gate.view import LedgerSilent, LedgerView

TRIES = 3
POLL_SECONDS = 0.05


class UseNotWon(Exception):
    """Another gate spent it first, or none is left."""


class Spender(Protocol):
    """Spends uses."""

    async def spend(self, artefact: ConsentArtefact, uses: int) -> None:
        """Spend the use after ``uses``; returns when the ledger has it. Raises UseNotWon or LedgerSilent."""


class LedgerSpender:
    """Spends through the custodian's outbox."""

    def __init__(self, writer: LedgerWriter) -> None:
        self._writer = writer

    async def spend(self, artefact: ConsentArtefact, uses: int) -> None:
        """See :class:`Spender`."""
        for use in range(uses + 1, min(uses + TRIES, artefact.scope.uses) + 1):
            if await self._spend(artefact, use):
                return
        raise UseNotWon

    async def _spend(self, artefact: ConsentArtefact, use: int) -> bool:
        preimage = use_preimage(artefact.seed, artefact.scope.uses, use)
        # The key is our own: a second reading that meets the same use must lose to the first, not share its success.
        key = f"spend/{to_hex(artefact.consent)}/{use}/{secrets.token_hex(8)}"
        call = Call("Consent", "spend", {"consent": artefact.consent, "preimage": preimage})
        return (await self._writer.settle(key, "consent-spend", call)).state == outbox.SUCCEEDED


@dataclass(frozen=True, slots=True)
class Settled:
    """How a write ended: ``state`` of its operation, and in ``detail`` the contract's error where it said no."""

    state: str
    detail: str


class LedgerWriter:
    """Writes through the custodian's outbox and waits until the ledger has answered. ``patience``: longest wait, seconds."""

    def __init__(self, sessions: Sessions, ledger: Ledger, view: LedgerView, patience: float) -> None:
        self._sessions = sessions
        self._ledger = ledger
        self._view = view
        self._patience = patience

    async def settle(self, key: str, kind: str, call: Call) -> Settled:
        """The same ``key`` is the same write. Raises LedgerSilent when it is not settled in time; it goes on all the same."""
        operation = await asyncio.to_thread(self._enqueue, key, kind, call)
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            await self._view.call(lambda: drive(self._sessions, self._ledger))
            settled = await asyncio.to_thread(self._state, operation)
            if settled.state in (outbox.SUCCEEDED, outbox.FAILED):
                return settled
            await asyncio.sleep(POLL_SECONDS)
        raise LedgerSilent("ledger_unavailable", "the write was not settled in time")

    def _enqueue(self, key: str, kind: str, call: Call) -> str:
        with self._sessions.begin() as session:
            writing(session)
            return outbox.enqueue(session, key, kind, call).id

    def _state(self, operation: str) -> Settled:
        with self._sessions() as session:
            row = session.query(Operation).filter(Operation.id == operation).one_or_none()
            return Settled(outbox.FAILED, "") if row is None else Settled(row.state, row.detail or "")
