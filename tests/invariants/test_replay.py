"""What holds in one place must be worth nothing in another: gates, ledgers, contracts."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest

from core.hexes import to_hex
from core.httpsig import sign_request
from tests.offchain.gate_scene import Scene
from tests.support.chains import DoubleChain
from tests.support.world import Resident, World, build_world, grant_call

HERE, THERE = "http://gate.test", "http://other-gate.test"


@pytest.fixture
def elsewhere() -> Iterator[World]:
    """An alliance on another ledger."""
    chain = DoubleChain()
    world = build_world(chain)
    yield world
    world.close()
    chain.close()


def test_what_was_signed_for_another_gate_is_useless_here(scene: Scene) -> None:
    """Whatever Host says: a gate judges by the URL it knows itself by. The same request signed for here is served."""
    s, path = scene.stored, "/gate/v1/records/read"
    request = {"subject": to_hex(s.subject), "purpose": "TREAT", "record": to_hex(s.record), "schema": to_hex(s.schema)}
    asked = {**request, "category": s.category, "fields": "all", "role": "physician"}
    sealed = {"consent": to_hex(scene.consent.consent), "artefact": scene.kit.sealed(scene.consent)}
    body = orjson.dumps({"request": asked, **sealed})
    keyid, private = f"practitioner:{to_hex(scene.doctor.id)}", scene.doctor.keys.private
    for host in ("gate.test", "other-gate.test"):
        headers = {**sign_request(private, keyid, "POST", THERE + path, body), "host": host}
        assert scene.serving.http.post(HERE + path, content=body, headers=headers).status_code == 401
    assert scene.serving.receipts() == []
    good = sign_request(private, keyid, "POST", HERE + path, body)
    assert scene.serving.http.post(HERE + path, content=body, headers=good).status_code == 200


def test_a_consent_given_on_another_ledger_opens_nothing_here(scene: Scene, elsewhere: World) -> None:
    """The same person with the same key, the same words; and the relayer cannot carry the grant over."""
    twin = Resident(scene.resident.subject, scene.resident.keys)
    elsewhere.send((elsewhere.operator, elsewhere.binding(twin)))
    scope = scene.world.scope(scene.resident, scene.doctor)
    nonce = scene.world.consent_nonce(scene.resident)
    carried = elsewhere.sign(twin, scope, nonce=nonce)
    assert scene.refused(under=carried).code == "no_consent"
    assert scene.world.refusal(scene.world.operator, grant_call(carried)) == "BadSignature"
    assert scene.world.refusal(scene.world.operator, scene.world.binding(twin)) == "KeyExists"
    scene.world.send((scene.world.operator, grant_call(scene.world.sign(scene.resident, scope, nonce=nonce))))
