"""A channel on which nobody writes: who asks moves it, and a peer that is cut off is refused (a real network)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from core.words import ZERO
from gateway.ledger.fabric import open as fabric
from gateway.ledger.fabric.ledger import FabricLedger
from gateway.ledger.port import Block, Ledger
from gateway.ledger.reasons import LedgerError, Reason
from offchain.gate.view import Caller, LedgerSilent, LedgerView
from offchain.gate.watched import WatchedLedger
from tests.support.chains import FabricChain
from tests.support.waiting import until
from tests.support.world import World, build_world

pytestmark = pytest.mark.fabric
LIMIT = 6.0
"""Seconds: short, so that the channel is soon idle for longer."""


@pytest.fixture(scope="module")
def world(fabric_chain: FabricChain) -> Iterator[World]:
    made = build_world(fabric_chain)
    yield made
    made.close()


@pytest.fixture
def ledger(world: World, fabric_chain: FabricChain) -> Iterator[Ledger]:
    """The hospital's own peers, with a short limit."""
    assert fabric_chain.deployment is not None
    limits = fabric.Limits(timeout=20.0, max_head_age=LIMIT)
    identity = fabric_chain.identity(world.hospital.key)
    made = FabricLedger(fabric.connect(fabric_chain.profile, fabric_chain.deployment, identity, limits))
    yield made
    made.close()


def old(newest: Block) -> None:
    """Wait until a block is older than a gate takes."""
    until(lambda: time.time() - newest.time > 2 * LIMIT)


def asks(ledger: Ledger, world: World) -> int:
    """Height at which a gate judges somebody's request. Raises LedgerSilent."""
    watched = WatchedLedger(ledger)
    watched.expect(ledger.block(0))
    view = LedgerView(watched, world.hospital.id, time.time, LIMIT, 60.0)
    doctor = Caller("practitioner", b"\1" * 32)
    try:
        return asyncio.run(view.standing(doctor, ZERO)).head.height
    finally:
        view.close()


@contextmanager
def without(chain: FabricChain, *parts: str) -> Iterator[None]:
    chain.network.kill(*parts)
    try:
        yield
    finally:
        chain.network.heal()


def test_a_gate_on_an_idle_channel_serves(world: World, ledger: Ledger) -> None:
    before = world.ledger.head()  # by the limit of the settings, which is longer
    old(before)
    until(lambda: serves(ledger, world))  # a busy machine may take longer over a block than the limit allows it to be old
    until(lambda: world.ledger.head().height > before.height)


@pytest.mark.parametrize("cut_off", ["from the members", "from the ordering service"])
def test_who_is_cut_off_is_refused(world: World, ledger: Ledger, fabric_chain: FabricChain, cut_off: str) -> None:
    plan, own = fabric_chain.network.layout, fabric_chain.identity(world.hospital.key).msp
    others = [o.peer for o in plan.organisations if o.msp != own]
    newest = world.ledger.head()
    with without(fabric_chain, *(others if cut_off == "from the members" else (o.name for o in plan.orderers))):
        old(newest)
        with pytest.raises(LedgerError) as raised:
            ledger.head()
        assert raised.value.reason is Reason.BEHIND
        with pytest.raises(LedgerSilent) as silent:
            asks(ledger, world)
        assert silent.value.code == "ledger_behind"
    until(lambda: serves(ledger, world))


def serves(ledger: Ledger, world: World) -> bool:
    try:
        return asks(ledger, world) > 0
    except LedgerSilent:
        return False
