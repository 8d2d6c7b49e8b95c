"""What cases ask of a ledger that says no."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.ledger.port import Call
from gateway.ledger.reasons import LedgerError, Reason
from tests.support.world import Organisation, World, carry_out


def refused(world: World, member: Organisation, call: Call) -> str:
    """The refusal in full, the same whether the write is tried out or really sent; then nothing is reported."""
    call = world.signed(member, call)
    with pytest.raises(LedgerError) as tried:
        member.ledger.read(call)
    assert tried.value.reason is Reason.REJECTED
    outcome = carry_out(member.ledger, call)
    assert (outcome.status, outcome.reason, outcome.events) == ("failed", Reason.REJECTED, ())
    assert outcome.detail == tried.value.detail
    return outcome.detail


def name_of(detail: str) -> str:
    """The error's name."""
    return detail.split("(", 1)[0]


def reason_of(ask: Callable[[], Any]) -> Reason:
    """Reason of the error; fails if there is none."""
    with pytest.raises(LedgerError) as raised:
        ask()
    return raised.value.reason


def with_args(call: Call, **changes: Any) -> Call:
    """The call with other arguments."""
    return Call(call.contract, call.method, {**call.args, **changes})
