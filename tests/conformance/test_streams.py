"""C120: one story told on every driver leaves the same stream of events, from the first block to the last."""

from __future__ import annotations

from typing import Any

from core.crypto import sm3
from gateway.ledger.port import Call
from tests.conformance.test_alliance import decide, newcomer
from tests.conformance.test_consent import spend
from tests.conformance.test_identity import recovery, rotation
from tests.conformance.test_records import emergency, full, receipts
from tests.support.chains import DoubleChain
from tests.support.world import Chain, build_world, invitation

LONG_AGO = 1_600_000_000


def story(chain: Chain) -> list[tuple[str, str, dict[str, Any]]]:
    """Everything that reports something, once. Random ids are named by their first appearance, times are all one."""
    from core import crypto
    from gateway.ledger import actions

    world = build_world(chain)
    member = newcomer(world)
    decide(world, invitation(member), world.operator, world.hospital)
    world.send((member, Call("Alliance", "join", {"organisation": member.id})))
    decide(world, actions.suspend(member.id), world.operator, world.hospital, world.platform)
    decide(world, actions.restore(member.id), world.operator, world.hospital)
    world.send((world.operator, recovery(world, resident := world.resident(), crypto.sm2_generate())))
    doctors = [world.practitioner(world.hospital) for _ in range(2)]
    made = world.grant(resident, world.scope(resident, doctors[0], uses=2))
    world.send((world.hospital, spend(made, 1)))
    new = world.amend(resident, made, world.scope(resident, doctors[1]))
    world.revoke(resident, new.consent)
    world.send((world.operator, rotation(world, resident, crypto.sm2_generate())))
    world.anchor(world.hospital, sm3(b"root"), 3)
    world.send((world.hospital, full(world, 2)), (world.platform, receipts(world)))
    world.send((world.hospital, opened := emergency(world, *doctors)))
    world.send((world.operator, Call("Access", "review", {"id": opened.args["id"], "outcome": 2})))
    head = world.ledger.head().height
    told = [(e.contract, e.name, e.args) for block in world.ledger.events(0, head) for e in block]
    world.close()
    names: dict[object, str] = {}
    return [(contract, name, {k: _named(v, names) for k, v in args.items()}) for contract, name, args in told]


def _named(value: Any, names: dict[object, str]) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value > LONG_AGO:
        return "time or packed"
    if isinstance(value, bytes) and len(value) not in (0, 32):
        return f"{len(value)} bytes"
    if isinstance(value, bytes | str) and value.strip(b"\0" if isinstance(value, bytes) else None):
        return names.setdefault(value, f"#{len(names)}")
    return value


def test_c120_the_same_story_leaves_the_same_events(real_chain: Chain) -> None:
    double, real = story(DoubleChain()), story(real_chain)
    assert len(real) > 80
    assert {name for _, name, _ in real} >= {"ConsentSpent", "EntriesAnchored", "EmergencyReviewed", "RecoveryVetoed"}
    assert double == real
