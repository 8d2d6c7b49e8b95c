"""The fast path watched: a share of decisions is also asked of the contract, and the first difference stops the gate
(invariant 3).

The gate evaluates the decision function itself over words read from its node. Should that copy ever disagree with the
contract's, one of the two is wrong and nothing may be served until people have looked: the gate writes down what differed,
for all its processes and restarts.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.canonical import canonical
from core.decision import Decision, Request
from core.hexes import to_hex
from core.words import ZERO
from gateway.ledger.port import Block, Call, Ledger
from gateway.ledger.reasons import LedgerError
from offchain.gate.opening import Shown
from offchain.gate.view import LedgerView

LOOK_SECONDS = 0.05


class Difference(Exception):
    """The contract decided otherwise."""


@dataclass(slots=True)
class Decided:
    """A decision of ours and what it was asked."""

    request: Request
    consent: bytes | None
    shown: Shown
    decision: Decision

    def words(self) -> tuple[int, int, int]:
        """As the contract answers: outcome, reason, fields."""
        return int(self.decision.outcome), int(self.decision.reason), self.decision.fields


class StopSwitch:
    """A file that keeps every process of a gate from serving. An operator removes it after looking into what it says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._looked = 0.0
        self._there = False

    def is_set(self) -> bool:
        """Whether the gate is stopped; what another process did is seen within :data:`LOOK_SECONDS`."""
        now = time.monotonic()
        if now - self._looked > LOOK_SECONDS:
            self._looked, self._there = now, self.path.exists()
        return self._there

    def set(self, why: dict[str, Any]) -> bytes:
        """Stop, durably; returns what was written (RFC 8785). A stop that is already there is kept."""
        raw = canonical({"kind": "healthtrust/gate-stop", "version": 1, **why})
        if not self.path.exists():
            beside = self.path.with_suffix(".tmp")
            with beside.open("wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        self._looked, self._there = time.monotonic(), True
        return raw


class CrossCheck:
    """Asks the contract again for a share of decisions. ``stopped``: told once, with the stop's bytes, when a difference
    shows."""

    def __init__(
        self, ledger: Ledger, view: LedgerView, share: float, switch: StopSwitch, stopped: Callable[[bytes], None]
    ) -> None:
        self._ledger = ledger
        self._view = view
        self._share = share
        self._switch = switch
        self._stopped = stopped
        # Nobody sees what it draws, so nobody can tell which decisions come next; the system's source costs a call each time.
        self._random = random.Random(os.urandom(32))  # noqa: S311

    async def maybe(self, head: Block, request: Request, consent: bytes | None, shown: Shown, ours: Decision) -> None:
        """Check this one if its turn comes. Raises Difference (the gate is stopped then) or LedgerSilent."""
        await self.share_of(head, [Decided(request, consent, shown, ours)])

    async def share_of(self, head: Block, decided: Iterable[Decided]) -> None:
        """Check those of many whose turn comes, in one round trip. Raises as :meth:`maybe`."""
        drawn = [d for d in decided if self._random.random() < self._share]
        if drawn:
            await self.check(head, drawn)

    async def check(self, head: Block, decided: Sequence[Decided]) -> None:
        """Ask ``Consent.decide`` at the same block. Raises as :meth:`maybe`."""
        calls = [decide_call(d.request, d.consent, d.shown, head.time) for d in decided]
        answers = await self._view.call(lambda: self._asked(calls, head))
        for ours, theirs in zip(decided, answers, strict=True) if answers is not None else ():
            if (theirs["outcome"], theirs["reason"], theirs["fields"]) != ours.words():
                self._stop(head, ours, theirs)

    def _asked(self, calls: Sequence[Call], head: Block) -> list[Any] | None:
        """The contract's answers; None where the ledger went on meanwhile and keeps no older states: another state would show
        differences that are none."""
        try:
            return self._ledger.read_many(calls, head.hash)
        except LedgerError as e:
            if self._view.moved(e):
                return None
            raise

    def _stop(self, head: Block, ours: Decided, theirs: dict[str, Any]) -> None:
        outcome, reason, fields = ours.words()
        why = {
            "block": to_hex(head.hash),
            "contract": [theirs["outcome"], theirs["reason"], hex(theirs["fields"])],
            "gate": [outcome, reason, hex(fields)],
            "consent": to_hex(ours.consent or ZERO),
            "requester": to_hex(ours.request.requester),
        }
        self._stopped(self._switch.set(why))
        raise Difference


def decide_call(request: Request, consent: bytes | None, shown: Shown, time: int) -> Call:
    """``Consent.decide`` for this request."""
    asked = {
        "subject": request.subject,
        "requester": request.requester,
        "requesterOrganisation": request.organisation,
        "role": request.role,
        "purpose": request.purpose,
        "category": request.category,
        "custodian": request.custodian,
        "record": request.record,
        "schema": request.schema,
        "fields": request.fields,
    }
    args = {"request": asked, "consent": consent or ZERO, "scopeWords": shown.words, "salt": shown.salt, "time": time}
    return Call("Consent", "decide", args)
