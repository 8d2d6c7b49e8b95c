"""Gas stays where the snapshot says, and under the goals of docs/decisions/0003-sm2-in-the-contract.md."""

from __future__ import annotations

import json

import pytest

from tests.contracts.gas import SNAPSHOT, measure
from tests.contracts.lab import Lab

pytestmark = pytest.mark.node
TOLERANCE = 0.04
"""Transactions are measured once, with random keys: the bits of one signature move a verification by some 10,000 gas."""
GOALS = {
    "SM3 first block": 22_000,
    "SM3 further block": 22_000,
    "SM2 verify": 193_000,
    "SM2 verify, worst seen": 200_000,
    "Consent.grant, first of a subject": 450_000,
}


def test_gas_is_that_of_the_snapshot(fresh: Lab) -> None:
    noted, measured = json.loads(SNAPSHOT.read_text("utf-8")), measure(fresh)
    assert measured.keys() == noted.keys()
    moved = {name: (noted[name], gas) for name, gas in measured.items() if abs(gas - noted[name]) > TOLERANCE * noted[name]}
    assert not moved, "run `python -m tests.contracts.gas` if this is meant"
    assert not {name: measured[name] for name, goal in GOALS.items() if measured[name] > goal}
