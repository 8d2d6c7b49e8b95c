"""Two people of the hospital open an emergency; for the gate's tests."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from typing import Any

from core import crypto
from core.emergency import PURPOSE, EmergencyArtefact, Signer, prepare
from core.scope import Grantee, Scope
from gateway.ledger.port import Call
from tests.offchain.gate_scene import Scene
from tests.support.world import Practitioner

REASON = "昏迷，无法征求本人意见"


def scope_of(scene: Scene, reader: Practitioner, **changes: Any) -> Scope:
    """What is opened for one of the two: everything of the resident, for a day at most."""
    now = int(time.time())
    grantee = Grantee("practitioner", reader.id, reader.organisation.id)
    return replace(Scope(scene.resident.subject, grantee, frozenset({PURPOSE}), now - 60, now + 86_400), **changes)


def signed(scene: Scene, first: Practitioner, second: Practitioner, minutes: int = 30, **changes: Any) -> EmergencyArtefact:
    """Both sign; the first reads."""
    seed, scope = secrets.token_bytes(32), scope_of(scene, first, **changes)
    domain = scene.world.ledger.read(Call("Access", "domain"))
    message = prepare(scope, seed, REASON, minutes, domain).pack()
    people = [Signer(p.id, p.keys.public, crypto.sm2_sign(p.keys.private, message)) for p in (first, second)]
    return EmergencyArtefact(scope, seed, REASON, minutes, message, (people[0], people[1]))
