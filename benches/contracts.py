"""Gas of what the contracts do against the limits set for it, and whole grants and decisions a second on the embedded node."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from gateway.ledger.port import Call
from tests.contracts.gas import measure
from tests.contracts.lab import Lab
from tests.support.chains import EvmChain
from tests.support.world import Practitioner, Resident, World, build_world, grant_call

COMMAND = "python -m benches contracts"
LIMITS = {
    "SM3 further block": ("D", 22_000),
    "SM2 verify": ("D", 200_000),
    "Consent.grant, first of a subject": ("D", 450_000),
}


def rows(quick: bool) -> list[dict[str, Any]]:
    """Gas from the same measurement as the snapshot; rates on a node with 1 s blocks, median of the rounds."""
    with tempfile.TemporaryDirectory() as home:
        chain = EvmChain(Path(home))
        world = build_world(chain)
        try:
            return [*_gas(), *_rates(world, 1 if quick else 5)]
        finally:
            world.close()
            chain.close()


def _gas() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as home:
        lab = Lab(Path(home))
        try:
            found = measure(lab)
        finally:
            lab.close()
    return [_row(f"{goal} gas: {name}", found[name], "gas", "limit set for it", limit) for name, (goal, limit) in LIMITS.items()]


def _rates(world: World, rounds: int) -> list[dict[str, Any]]:
    resident, doctor = world.resident(), world.practitioner(world.hospital)
    grants = [_grants(world, doctor, 40) for _ in range(rounds)]
    made = world.grant(resident, world.scope(resident, doctor))
    decide = _decide_call(world, resident, doctor, made)
    bare = Call("Schema", "schemaOf", {"schemaId": bytes(32)})
    pairs = [(_asked(world, decide, 200), _asked(world, bare, 200)) for _ in range(rounds)]
    return [
        _row("B whole grants, SM2 checked in the contract", statistics.median(grants), "1/s", None, None),
        _row(
            "D decide asked of the contract, batches of 50",
            statistics.median(p[0] for p in pairs),
            "1/s",
            "a call that only reads one word, same batches",
            statistics.median(p[1] for p in pairs),
        ),
    ]


def _grants(world: World, doctor: Practitioner, count: int) -> float:
    residents = world.residents(count)
    calls = [(world.operator, grant_call(world.sign(r, world.scope(r, doctor)))) for r in residents]
    began = time.perf_counter()
    world.send(*calls)
    return count / (time.perf_counter() - began)


def _decide_call(world: World, resident: Resident, doctor: Practitioner, made: Any) -> Call:
    request = world.request(resident, doctor, world.hospital)
    words = made.scope.words()
    args = {"request": request, "consent": made.consent, "scopeWords": words, "salt": made.salt, "time": world.now()}
    return Call("Consent", "decide", args)


def _asked(world: World, call: Call, count: int) -> float:
    ledger = world.hospital.ledger
    began = time.perf_counter()
    for _ in range(count // 50):
        ledger.read_many([call] * 50)
    return count / (time.perf_counter() - began)


def _row(id: str, figure: float, unit: str, peer: str | None, peer_figure: float | None) -> dict[str, Any]:
    ratio = None if peer_figure is None else figure / peer_figure
    return {
        "id": id,
        "figure": figure,
        "unit": unit,
        "peer": peer,
        "peer_figure": peer_figure,
        "ratio": ratio,
        "command": COMMAND,
    }
