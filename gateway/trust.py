"""Whether this process may believe its node. A node that came back older than what we acknowledged is not believed until every
acknowledged write is back (docs/ledger.md, outbox); until then nothing is answered from it and nobody is let in.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from gateway.ledger import outbox
from gateway.ledger.port import Ledger
from gateway.ledger.reasons import LedgerError, Reason

TRY_EVERY_SECONDS = 0.5


class Trust:
    """Lost at start and at every reset; regained by :func:`gateway.ledger.outbox.reconcile`. Thread-safe."""

    def __init__(self, sessions: outbox.Sessions, ledger: Ledger, clock: Callable[[], float] = time.monotonic) -> None:
        self._sessions, self._ledger, self._clock = sessions, ledger, clock
        self._lock = threading.Lock()
        self._held = False
        self._next_try = 0.0

    def require(self) -> None:
        """Return if the node may be believed. Raises LedgerError: ``reset`` while writes are put on again, or what the
        node answers."""
        if self._held:
            return
        with self._lock:
            if not self._held and self._clock() >= self._next_try:
                self._held = outbox.reconcile(self._sessions, self._ledger)
                self._next_try = 0.0 if self._held else self._clock() + TRY_EVERY_SECONDS
            if not self._held:
                raise LedgerError(Reason.RESET, detail="acknowledged writes are being put on again")

    def lose_on(self, error: Exception) -> None:
        """Take note of an error: a reset ends the trust."""
        if isinstance(error, LedgerError) and error.reason is Reason.RESET:
            self._held = False
