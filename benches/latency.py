"""Grant to readable: from the moment a signed consent is handed to the ledger until a gate hands out the record under it.

The reader asks again as soon as it was refused for want of a consent. The peer is a bare client on the same network, alternating:
a write that needs no key of a resident, until a question to its own node shows it. What is above it is the check of the SM2
signature in the contract, the gate's look at the head, and the reading itself. ``--network validators`` or ``fabric`` for a
consortium's network; without, the embedded node with blocks of a second.
"""

from __future__ import annotations

import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.ledger.port import Call
from offchain.client import GateRefused
from tests.offchain.gate_kit import GateKit
from tests.offchain.gate_scene import Scene
from tests.support.chains import EvmChain, FabricChain
from tests.support.validators import ValidatorChain
from tests.support.world import Chain, World, build_world, grant_call

ROUNDS, QUICK_ROUNDS = 60, 8
PAUSE_SECONDS = 0.01
POLICY = {"policy": {"contract_check_share": 0.01, "receipt_delay_seconds": 0.1}, "ledger": {"max_head_age_seconds": 600}}
COMMAND = "python -m benches latency"
PEER = "bare write until its own node shows it, same network"


def rows(quick: bool) -> list[dict[str, Any]]:
    """On the embedded node."""
    return _measured(lambda: EvmChain(block_seconds=1.0), "one node, blocks of 1 s", COMMAND, quick)


def rows_on_validators(quick: bool) -> list[dict[str, Any]]:
    """On four validators."""
    return _measured(
        lambda: ValidatorChain(block_seconds=1.0), "4 validators, blocks of 1 s", f"{COMMAND} --network validators", quick
    )


def rows_on_fabric(quick: bool) -> list[dict[str, Any]]:
    """On Fabric with three organisations and Raft."""
    return _measured(FabricChain, "Fabric", f"{COMMAND} --network fabric", quick)


def _measured(make: Callable[[], Any], where: str, command: str, quick: bool) -> list[dict[str, Any]]:
    chain = make()
    try:
        ours, theirs = _rounds(chain, QUICK_ROUNDS if quick else ROUNDS)
    finally:
        chain.close()
    return [
        _row(f"grant to readable, p{share}, {where}", _share(ours, share), _share(theirs, share), command) for share in (50, 95)
    ]


def _rounds(chain: Chain, count: int) -> tuple[list[float], list[float]]:
    """Seconds of every grant until it is readable, and of every bare write until it is seen."""
    world = build_world(chain)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="latency-") as home:
        kit = GateKit(world, Path(home), **POLICY)
        with kit.serve() as serving:
            scene = Scene(kit, serving)
            for _ in range(count):
                theirs.append(_bare(world))
                ours.append(_readable(scene))
    world.close()
    return ours, theirs


def _readable(scene: Scene) -> float:
    world = scene.world
    made = world.sign(scene.resident, world.scope(scene.resident, scene.doctor))
    began = time.perf_counter()
    world.ledger.submit(world.ledger.prepare(grant_call(made)))
    while True:
        try:
            scene.read(under=made)
            return time.perf_counter() - began
        except GateRefused as refusal:
            if refusal.code != "no_consent":
                raise
        time.sleep(PAUSE_SECONDS)


def _bare(world: World) -> float:
    id, commitment = secrets.token_bytes(32), secrets.token_bytes(32)
    asked = Call("Access", "requestOf", {"id": id})
    began = time.perf_counter()
    world.ledger.submit(world.ledger.prepare(Call("Access", "request", {"id": id, "commitment": commitment})))
    while not world.ledger.read(asked)["status"]:
        time.sleep(PAUSE_SECONDS)
    return time.perf_counter() - began


def _share(seconds: list[float], share: int) -> float:
    return statistics.quantiles(seconds, n=100, method="inclusive")[share - 1] * 1000


def _row(id: str, ours: float, theirs: float, command: str) -> dict[str, Any]:
    figures = {"figure": ours, "unit": "ms", "peer": PEER, "peer_figure": theirs, "ratio": ours / theirs}
    return {"id": id, **figures, "command": command}
