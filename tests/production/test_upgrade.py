"""A contract's next version takes over on a real node: by vote, state kept, one set of mirror tables, old proofs still true."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from contracts.script.compile import ARTIFACTS
from core.bundle import checkpoint
from core.hexes import to_bytes
from core.verify import verify
from gateway.ledger import actions
from gateway.ledger.factory import open_ledger
from gateway.ledger.membership import signed
from gateway.ledger.port import Call
from gateway.settings import Settings
from healthtrust import upgrade
from healthtrust.upgrade import UpgradeRefused
from mirror import projections
from mirror.database import Database
from mirror.projections.base import Handler
from mirror.projections.evidence import EVIDENCE, PROJECTION
from mirror.rebuild import compare_with_node
from tests.offchain.gate_kit import CODE, GateKit
from tests.offchain.gate_scene import PATIENT, Scene, patiently
from tests.production.mirrors import follow
from tests.support.chains import EvmChain
from tests.support.world import Organisation, World

pytestmark = pytest.mark.node
KIND = b"log".ljust(32, b"\0")


@pytest.fixture
def kit(world: World, evm_chain: EvmChain, tmp_path: Path) -> GateKit:
    made = GateKit(world, tmp_path / "home", ledger={"url": evm_chain.url, "max_head_age_seconds": 600}, **PATIENT)
    (made.home / "contracts.json").write_bytes(world.contracts_file.read_bytes())
    return made


@pytest.fixture
def next_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program that knows both versions: the contract's next ABI, and a mirror handler for its event into the same table. The
    path of the new contract's artifact."""
    folder = tmp_path / "artifacts"
    shutil.copytree(ARTIFACTS, folder)
    shutil.copyfile(folder / "EvidenceNext.json", folder / "Evidence.json")
    monkeypatch.setenv("HEALTHTRUST_ARTIFACTS", str(folder))
    noted = Handler(PROJECTION.handlers["EvidenceRecorded"].apply)
    monkeypatch.setitem(projections.HANDLERS, ("Evidence", "EvidenceNoted"), noted)
    return folder / "EvidenceNext.json"


def agree(world: World, proposal: int) -> None:
    """Members vote until it is carried out."""
    for member in (world.operator, world.platform):
        if not world.ledger.read(Call("Alliance", "proposalOf", {"proposal": proposal}))["executed"]:
            world.send((member, signed(member.ledger, member.id, member.sm2.private, actions.vote(proposal))))


def record(world: World, member: Organisation, digest: int) -> None:
    world.send((member, Call("Evidence", "record", {"kind": KIND, "digest": bytes([digest]) * 32})))


def mirrored(settings: Settings) -> list[tuple[Any, ...]]:
    with closing(Database(settings.mirror_database())) as database, database.read() as connection:
        rows = connection.execute(EVIDENCE.table.select().order_by(EVIDENCE.table.c.number))
        return [(row.number, row.digest[0]) for row in rows]


def test_the_next_version_goes_on_where_the_one_before_ended(kit: GateKit, next_program: Path) -> None:
    world, settings, ours = kit.world, kit.settings, kit.organisation
    record(world, ours, 1)
    record(world, ours, 2)
    with kit.serve() as serving:
        scene = Scene(kit, serving)
        given, client = scene.read().bundle, serving.as_doctor(scene.doctor)
        bundle = patiently(lambda: client.complete(given), lambda made: made["receipt"]["anchor"] is not None)
    old = ours.ledger
    follow(settings)

    address = upgrade.deploy(settings, CODE, "Evidence", next_program)
    agree(world, upgrade.propose(settings, CODE, "Evidence"))
    late = Call("Evidence", "record", {"kind": KIND, "digest": b"\3" * 32})
    assert world.attempt((ours, late))[0].detail.startswith("ContractFrozen")
    agree(world, upgrade.propose(settings, CODE, "Evidence", address, 2))
    assert upgrade.follow(settings) == {"Evidence": address.lower()}
    assert upgrade.follow(settings) == {}
    assert {(s.version, s.frozen) for s in upgrade.serving(settings) if s.name == "Evidence"} == {(2, False)}

    with closing(open_ledger(settings, ours.key)) as ledger:
        ours.ledger = ledger
        record(world, ours, 4)
        ask = {"organisation": ours.id}
        assert ledger.read(Call("Evidence", "countOf", ask)) == 3
        held = [ledger.read(Call("Evidence", "evidenceOf", {**ask, "number": n}))["digest"][0] for n in range(3)]
        assert held == [1, 2, 4]
        contracts = ledger.info().contracts
    ours.ledger = old
    assert world.attempt((ours, late))[0].detail.startswith("ContractFrozen"), "who did not follow writes nothing"

    follow(settings)
    assert mirrored(settings) == [(0, 1), (1, 2), (2, 4)]
    assert compare_with_node(settings, settings.mirror_database()) is None
    proved = bundle["ledger"]
    for known in (contracts, proved["contracts"]):
        trust = checkpoint(proved["chainId"], to_bytes(proved["ledgerId"]), known, map(to_bytes, proved["headers"]))
        assert verify(bundle, trust).exit_code == 0


def test_contracts_that_others_hold_by_address_are_not_replaced_so(kit: GateKit, next_program: Path) -> None:
    for name in (*upgrade.FIXED, "Nothing"):
        with pytest.raises(UpgradeRefused):
            upgrade.deploy(kit.settings, CODE, name, next_program)
