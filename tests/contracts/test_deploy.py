"""Deployment: once, resumable, and never onto another chain; precompiles are believed only after known answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.script.deploy import CONTRACTS, Chain, DeployError, Precompiles, created_address, deploy
from core.ids import ledger_id
from tests.contracts.lab import Lab, founder, new_organisation

pytestmark = pytest.mark.node


def again(lab: Lab, path: Path, precompiles: Precompiles | None = None, url: str | None = None) -> dict[str, object]:
    member = founder(lab.first)
    return deploy(url or lab.node.url, lab.first.account.key, "测试联盟", member, path, precompiles)


def test_what_is_written_fits_the_chain(lab: Lab) -> None:
    chain_id, genesis = lab.chain.identity()
    written = json.loads((lab.home / "contracts.json").read_text())
    assert written == lab.deployed
    assert (written["chainId"], written["genesis"]) == (chain_id, genesis)
    assert set(written["contracts"]) == set(CONTRACTS)
    assert lab.chain.has_code(written["contracts"].values())
    assert lab.read("Alliance", "ledgerId").hex() == written["ledgerId"][2:]


def test_the_ledger_id_is_that_of_the_formats() -> None:
    """Shown on fixed words in tests/core; here only that name and salt both matter."""
    assert len({ledger_id("a", bytes(32)), ledger_id("b", bytes(32)), ledger_id("a", b"\1" * 32)}) == 3


def test_a_second_run_sends_nothing(lab: Lab) -> None:
    count = lab.chain.ask("eth_getTransactionCount", lab.first.account.address, "pending")
    assert again(lab, lab.home / "contracts.json") == lab.deployed
    assert lab.chain.ask("eth_getTransactionCount", lab.first.account.address, "pending") == count


def test_a_crash_before_contracts_json_ends_in_the_same_addresses(lab: Lab, tmp_path: Path) -> None:
    made = again(lab, tmp_path / "contracts.json")
    (tmp_path / "contracts.json").unlink()
    assert again(lab, tmp_path / "contracts.json") == made


def test_a_chain_that_came_back_without_the_contracts_gets_the_same_ones(fresh: Lab) -> None:
    """The embedded node may lose its last second, and the deployment with it."""
    snapshot = fresh.chain.ask("evm_snapshot")
    made = again(fresh, fresh.home / "again" / "contracts.json")
    fresh.chain.ask("evm_revert", snapshot)
    assert not fresh.chain.has_code(made["contracts"].values())  # type: ignore[attr-defined]
    back = again(fresh, fresh.home / "again" / "contracts.json")
    assert {**back, "block": 0} == {**made, "block": 0}
    assert fresh.chain.has_code(back["contracts"].values())  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["contracts.json", "deployment.json"])
def test_another_chain_is_refused(lab: Lab, tmp_path: Path, name: str) -> None:
    described = json.loads((lab.home / name).read_text())
    (tmp_path / name).write_text(json.dumps({**described, "genesis": "0x" + "11" * 32}))
    with pytest.raises(DeployError, match="belongs to chain"):
        again(lab, tmp_path / "contracts.json")


def test_a_file_of_another_kind_and_a_dead_node_are_refused(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "contracts.json").write_text("{}")
    with pytest.raises(DeployError, match="not a healthtrust/contracts"):
        again(lab, tmp_path / "contracts.json")
    with pytest.raises(DeployError, match="did not answer"):
        again(lab, tmp_path / "other.json", url="http://127.0.0.1:1")


def test_a_precompile_that_gives_wrong_answers_is_refused(lab: Lab, tmp_path: Path) -> None:
    """Address 4 returns its input, 2 is SHA-256, and an empty account answers nothing."""
    for at, precompiles in enumerate(
        (Precompiles(sm3="0x" + "02".zfill(40)), Precompiles(sm2="0x" + "04".zfill(40)), Precompiles(sm2="0x" + "77" * 20))
    ):
        with pytest.raises(DeployError, match="failed"):
            again(lab, tmp_path / str(at) / "contracts.json", precompiles)


def test_a_right_precompile_is_used(lab: Lab, tmp_path: Path) -> None:
    """A contract that speaks like a precompile (tests only) stands in for one."""
    from contracts.script.deploy import artifact

    sm2, sm3 = "0x" + "aa" * 20, "0x" + "bb" * 20
    for address, name in ((sm2, "PrecompileSM2"), (sm3, "PrecompileSM3")):
        lab.chain.ask("anvil_setCode", address, artifact(name)["deployedBytecode"])
    made = again(lab, tmp_path / "contracts.json", Precompiles(sm2, sm3))
    addresses, lab.addresses = lab.addresses, {**made["contracts"], "Harness": lab.addresses["Harness"]}  # type: ignore[dict-item]
    ledger, lab.ledger_id = lab.ledger_id, bytes.fromhex(str(made["ledgerId"])[2:])
    try:
        lab.grant(lab.resident())
        assert lab.gas_used["Consent.grant"] > 0
    finally:
        lab.addresses, lab.ledger_id = addresses, ledger


def test_addresses_are_computed_as_the_chain_computes_them(lab: Lab) -> None:
    account = new_organisation("x").account
    assert (
        created_address("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0", 0).lower() == "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"
    )
    assert (
        created_address("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0", 1).lower() == "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8"
    )
    assert len({created_address(account.address, n) for n in (0, 1, 127, 128, 255, 256, 65536)}) == 7
    assert isinstance(lab.chain, Chain)
