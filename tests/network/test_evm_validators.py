"""The consortium's chain: who may write, what it hashes and verifies by itself, how its homes are made."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from eth_account import Account
from eth_account.signers.local import LocalAccount

from core import crypto
from core.crypto.encoding import sm2_z
from gateway.ledger.evm.abi import Abis
from gateway.ledger.evm.errors import to_ledger_error
from gateway.ledger.evm.rpc import Rpc, RpcError
from gateway.ledger.reasons import Reason
from network.evm.genesis import BLOCK_GAS, SM2_PRECOMPILE, SM3_PRECOMPILE, Identity, Node
from network.evm.validators import ValidatorNetwork
from network.processes import NetworkError
from tests.support.waiting import until

pytestmark = [pytest.mark.validators, pytest.mark.timeout(600)]
SHARED = Path(__file__).parents[1] / "shared"
ANYWHERE = "0x" + "11" * 20


@pytest.fixture(scope="module")
def member() -> LocalAccount:
    made: LocalAccount = Account.create()
    return made


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory, member: LocalAccount) -> Iterator[ValidatorNetwork]:
    with ValidatorNetwork(tmp_path_factory.mktemp("network"), block_seconds=0.2, accounts=[member.address]) as running:
        yield running


@pytest.fixture
def node(network: ValidatorNetwork) -> Iterator[Rpc]:
    client = Rpc(network.urls[0], 60)
    yield client
    client.close()


def signed(account: LocalAccount, nonce: int, to: str | None, data: str = "0x") -> str:
    fields: dict[str, Any] = {"nonce": nonce, "gasPrice": 0, "gas": 200_000, "value": 0, "data": data, "chainId": 262144}
    raw = account.sign_transaction(fields if to is None else {**fields, "to": to}).raw_transaction
    return "0x" + bytes(raw).hex()


def receipt(node: Rpc, transaction: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = node.call("eth_getTransactionReceipt", transaction)
    except RpcError:
        return None
    return found


def test_a_listed_account_writes_without_a_fee(node: Rpc, member: LocalAccount) -> None:
    nonce = int(node.call("eth_getTransactionCount", member.address, "latest"), 16)
    sent = node.call("eth_sendRawTransaction", signed(member, nonce, ANYWHERE))
    until(lambda: receipt(node, sent))
    assert int(receipt(node, sent)["status"], 16) == 1  # type: ignore[index]
    assert int(node.call("eth_getBalance", member.address, "latest"), 16) == 0


@pytest.mark.parametrize("to", [ANYWHERE, None])
def test_a_strangers_transaction_is_refused_where_it_is_sent(network: ValidatorNetwork, to: str | None) -> None:
    stranger = Account.create()
    for url in network.urls:
        client = Rpc(url, 60)
        with pytest.raises(RpcError) as raised:
            client.call("eth_sendRawTransaction", signed(stranger, 0, to, "0x00" if to is None else "0x"))
        assert to_ledger_error(raised.value, Abis(), "submit").reason is Reason.REJECTED
        assert client.call("eth_getTransactionCount", stranger.address, "latest") == "0x0"
        client.close()


def test_a_question_needs_no_account(node: Rpc) -> None:
    assert node.call("eth_call", {"to": SM3_PRECOMPILE, "data": "0x616263"}, "latest") == "0x" + crypto.sm3(b"abc").hex()


def test_sm3_is_ours_at_every_length_around_a_block(node: Rpc) -> None:
    for data in (bytes(range(n)) for n in (0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 255)):
        answer = node.call("eth_call", {"to": SM3_PRECOMPILE, "data": "0x" + data.hex()}, "latest")
        assert answer == "0x" + crypto.sm3(data).hex()


def test_sm2_accepts_and_refuses_what_the_shared_vectors_say(node: Rpc) -> None:
    vectors = json.loads((SHARED / "sm2.json").read_text("utf-8"))
    asked = [(v, True) for v in vectors["signatures"]] + [(v, False) for v in vectors["invalid"]]
    for vector, right in asked:
        key = bytes.fromhex(vector["public"])
        e = crypto.sm3(sm2_z(key, bytes.fromhex(vector["uid"])) + bytes.fromhex(vector["message"]))
        assert verified(node, e, bytes.fromhex(vector["signature"]), key) is right, vector
    example = vectors["signatures"][0]
    for bad in vectors["badPublicKeys"]:
        key = bytes.fromhex(bad["key"])
        assert not verified(node, crypto.sm3(b""), bytes.fromhex(example["signature"]), key)


def verified(node: Rpc, e: bytes, signature: bytes, key: bytes) -> bool:
    answer = node.call("eth_call", {"to": SM2_PRECOMPILE, "data": "0x" + (e + signature + key).hex()}, "latest")
    assert answer in ("0x", "0x" + "0" * 63 + "1")
    return bool(answer != "0x")


def test_a_block_holds_as_much_gas_as_the_rules_say(node: Rpc) -> None:
    assert int(node.call("eth_getBlockByNumber", "latest", False)["gasLimit"], 16) == BLOCK_GAS
    assert int(node.call("eth_gasPrice"), 16) == 0


def test_validators_share_a_genesis_and_no_key(network: ValidatorNetwork) -> None:
    homes = [network.home / name / "config" for name in network.names]
    assert len({(home / "genesis.json").read_bytes() for home in homes}) == 1
    for secret in ("node_key.json", "priv_validator_key.json"):
        assert len({(home / secret).read_bytes() for home in homes}) == 4
        assert {(home / secret).stat().st_mode & 0o077 for home in homes} == {0}


def test_only_the_listed_peers_are_let_in(network: ValidatorNetwork) -> None:
    for name in network.names:
        p2p = tomllib.loads((network.home / name / "config" / "config.toml").read_text())["p2p"]
        assert (p2p["max_num_outbound_peers"], p2p["pex"]) == (0, False)
        assert len(p2p["unconditional_peer_ids"].split(",")) == len(p2p["persistent_peers"].split(",")) == 3
    for node in network.layout.nodes:
        others = {Identity.read(network.home / name).peer for name in network.names if name != node.name}
        assert {peer for peer in others if let_in(node, peer)} == others
        assert not let_in(node, "0" * 40)


def let_in(node: Node, peer: str) -> bool:
    """Whether a node would take a connection from this one, as CometBFT asks its application."""
    asked = urllib3.request("GET", f"http://{node.comet}/abci_query", fields={"path": f'"/p2p/filter/id/{peer}"'})
    return int(asked.json()["result"]["response"]["code"]) == 0


def test_fewer_than_four_are_no_consortium(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="cannot bear"):
        ValidatorNetwork(tmp_path, validators=3)


def test_another_process_with_the_home_finds_and_stops_the_network(network: ValidatorNetwork) -> None:
    other = ValidatorNetwork(network.home)
    assert other.status()["ready"]
    assert [p["pid"] for p in other.status()["parts"]] == [p["pid"] for p in network.status()["parts"]]
    other.stop()
    until(lambda: {p["pid"] for p in network.status()["parts"]} == {None})
    network.start()
    assert network.status()["ready"]
