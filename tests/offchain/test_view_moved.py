"""A gate on a ledger that keeps no older states: a block that comes in between is no refusal, and no answer mixes two blocks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.words import ZERO
from gateway.ledger.port import Block, LedgerInfo
from gateway.ledger.reasons import LedgerError, Reason
from offchain.gate import view as views
from offchain.gate.view import Caller, LedgerSilent, LedgerView

NOW = 1_700_000_000
DOCTOR = Caller("practitioner", b"\1" * 32)


class Moving:
    """Goes on by a block after each of the first ``moves`` questions."""

    trusted = True

    def __init__(self, moves: int, history: bool = False) -> None:
        self.height, self.moves = 0, moves
        self._info = LedgerInfo("fabric", ZERO, 0, {}, ZERO, "", 0, history=history)

    def info(self) -> LedgerInfo:
        return self._info

    def head(self) -> Block:
        return Block(self.height, bytes([self.height]) * 32, ZERO, NOW)

    def read_many(self, calls: list[Any], at: bytes | None) -> list[Any]:
        self._at(at)
        key = {"x": bytes(32), "y": bytes(32), "status": 1, "organisation": bytes([self.height]) * 32}
        if self.moves:
            self.moves, self.height = self.moves - 1, self.height + 1
        return [key for _ in calls]

    def read(self, call: Any, at: bytes | None) -> Any:
        self._at(at)
        if call.method == "batchOf":
            return {"root": b"\7" * 32}
        raise LedgerError(Reason.REJECTED, detail="the words of states are not what is tested")

    def _at(self, at: bytes | None) -> None:
        if at not in (None, self.head().hash):
            raise LedgerError(Reason.NOT_FOUND)


@pytest.fixture
def stated(monkeypatch: pytest.MonkeyPatch) -> None:
    """States are asked for, and not looked at."""

    def learn(self: LedgerView, at: Any, asked: Any) -> None:
        self._ledger._at(at.head.hash)  # type: ignore[attr-defined]
        at.states.update({question: at.head.height for question in asked})

    monkeypatch.setattr(views.LedgerView, "_learn_states", learn)


def viewed(ledger: Moving) -> LedgerView:
    return LedgerView(ledger, ZERO, lambda: float(NOW), 30.0, 60.0)  # type: ignore[arg-type]


@pytest.mark.usefixtures("stated")
def test_everything_is_asked_again_at_the_new_head() -> None:
    view = viewed(Moving(3))
    standing: Any = asyncio.run(view.standing(DOCTOR, ZERO))
    assert (standing.head.height, standing.state, standing.organisation) == (3, 3, bytes([3]) * 32)
    view.close()


@pytest.mark.usefixtures("stated")
def test_a_ledger_that_never_holds_still_is_refused() -> None:
    view = viewed(Moving(100))
    with pytest.raises(LedgerSilent) as raised:
        asyncio.run(view.standing(DOCTOR, ZERO))
    assert raised.value.code == "ledger_behind"
    view.close()


@pytest.mark.usefixtures("stated")
def test_states_of_a_head_that_is_gone_are_those_of_a_newer_one() -> None:
    ledger = Moving(0)
    view, old = viewed(ledger), ledger.head()
    ledger.height = 5
    states: Any = asyncio.run(view.states(DOCTOR, old, [ZERO]))
    assert states == {ZERO: 5}
    assert asyncio.run(view.root(0, old)) == b"\7" * 32
    view.close()


@pytest.mark.usefixtures("stated")
def test_where_older_states_are_kept_one_that_is_gone_is_no_answer() -> None:
    view = viewed(Moving(1, history=True))
    with pytest.raises(LedgerSilent):
        asyncio.run(view.standing(DOCTOR, ZERO))
    view.close()
