"""Keys change hands on a real node: the old one is refused at once, nothing under way is lost, what it signed stays provable."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from core.crypto import sm2_public
from core.hexes import to_hex
from core.verify import verify
from gateway.keyring import Keyring, load_or_create
from gateway.ledger import outbox
from gateway.ledger.factory import open_ledger
from gateway.ledger.membership import set_account
from gateway.ledger.port import Call
from healthtrust import rotation
from healthtrust.rotation import RotationRefused, rotate_account, rotate_signing_key
from tests.offchain.gate_kit import CODE, GateKit
from tests.offchain.gate_scene import PATIENT, Scene
from tests.support.chains import EvmChain
from tests.support.world import World

pytestmark = pytest.mark.node
TRUE_AS_FAR_AS_SHOWN = 3


@pytest.fixture
def kit(world: World, evm_chain: EvmChain, tmp_path: Path) -> GateKit:
    """The hospital's host: the ledger it opens by itself is that of its settings."""
    made = GateKit(world, tmp_path / "home", ledger={"url": evm_chain.url, "max_head_age_seconds": 600}, **PATIENT)
    (made.home / "contracts.json").write_bytes(world.contracts_file.read_bytes())
    return made


def ring(kit: GateKit) -> Keyring:
    return load_or_create(kit.home / "custodians" / CODE / "keys.json", CODE)


def cut_off_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next command dies when the ledger holds the new key and the keyring does not yet."""
    whole, calls = rotation.end_handover, iter([False])

    def dies(*arguments: object) -> Keyring:
        if next(calls, True):
            return whole(*arguments)  # type: ignore[arg-type]
        raise SystemExit("power cut")

    monkeypatch.setattr(rotation, "end_handover", dies)


def test_an_organisations_key_changes_hands(kit: GateKit, monkeypatch: pytest.MonkeyPatch) -> None:
    with kit.serve() as serving:
        scene = Scene(kit, serving)
        before = scene.read()
        sealed_before = kit.sealed(scene.consent)
        with pytest.raises(RotationRefused, match="stop it first"):
            rotate_signing_key(kit.settings, CODE)
    old = ring(kit).sm2

    cut_off_once(monkeypatch)
    with pytest.raises(SystemExit):
        rotate_signing_key(kit.settings, CODE)
    coming = ring(kit).next_sm2
    public = rotate_signing_key(kit.settings, CODE)
    assert (ring(kit).sm2, ring(kit).former, ring(kit).next_sm2) == (coming, (old,), "")
    assert public == sm2_public(bytes.fromhex(coming))
    held = kit.world.ledger.read(Call("Alliance", "keyOf", {"id": kit.organisation.id}))
    assert held["x"] + held["y"] == public

    ours = kit.organisation
    by_the_old = set_account(ours.ledger, ours.id, bytes.fromhex(old), "0x" + "11" * 20, True)
    assert kit.world.attempt((ours, by_the_old))[0].detail.startswith("BadSignature")

    monkeypatch.setattr(kit, "sealed", lambda _consent: sealed_before)
    with kit.serve() as serving:
        scene.serving = serving
        after = scene.read()
        assert [r["number"] for r in serving.receipts()] == [0, 1]
    assert (before.bundle["custodianKey"], after.bundle["custodianKey"]) == (
        to_hex(sm2_public(bytes.fromhex(old))),
        to_hex(public),
    )
    assert [verify(reading.bundle).exit_code for reading in (before, after)] == [TRUE_AS_FAR_AS_SHOWN] * 2


def test_a_ledger_account_changes_hands(kit: GateKit, monkeypatch: pytest.MonkeyPatch) -> None:
    with kit.sessions.begin() as session:
        under_way = [
            outbox.enqueue(
                session, f"write-{n}", "evidence", Call("Evidence", "record", {"kind": b"\1" * 32, "digest": bytes([n]) * 32})
            ).id
            for n in range(1, 4)
        ]
    cut_off_once(monkeypatch)
    with pytest.raises(SystemExit):
        rotate_account(kit.settings, CODE)
    account = rotate_account(kit.settings, CODE)

    with kit.sessions() as session:
        rows = {row.id: row for row in session.query(outbox.Operation)}
    assert [rows[id].state for id in under_way] == [outbox.SUCCEEDED] * 3
    ours = kit.organisation
    assert kit.world.ledger.read(Call("Evidence", "countOf", {"organisation": ours.id})) == 3
    record = Call("Evidence", "record", {"kind": b"\1" * 32, "digest": b"\7" * 32})
    assert kit.world.attempt((ours, record))[0].detail.startswith("NotAMember")
    with closing(open_ledger(kit.settings, bytes.fromhex(ring(kit).evm))) as ledger:
        assert ledger.info().account == account
        assert ledger.read(Call("Alliance", "memberOf", {"account": account}))["id"] == ours.id
        assert ledger.read(record) is None
