"""The embedded node as a process: starting, stopping, dying, torn files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.ledger.evm.rpc import Rpc, RpcError
from network.evm.node import HISTORY_BLOCKS, Node, NodeError, free_port, recover_state
from tests.support.waiting import until

pytestmark = pytest.mark.node
ROOT = Path(__file__).resolve().parents[2]


def node(home: Path) -> Node:
    return Node(home, 0, block_seconds=0.2)


def answers(n: Node) -> bool:
    try:
        n.health()
    except NodeError:
        return False
    return True


def wait_height(n: Node, height: int) -> None:
    until(lambda: n.health()["height"] >= height)


def test_stop_keeps_the_chain(tmp_path: Path) -> None:
    with node(tmp_path) as first:
        wait_height(first, 3)
        block = Rpc(first.url, 5).call("eth_getBlockByNumber", "0x2", False)["hash"]
    with node(tmp_path) as second:
        assert Rpc(second.url, 5).call("eth_getBlockByNumber", "0x2", False)["hash"] == block
        assert second.health()["height"] >= 2


def test_a_new_chain_is_on_disk_before_it_is_ready(tmp_path: Path) -> None:
    """Else a kill in the first second would start another genesis under contracts already deployed."""
    first = node(tmp_path).start()
    genesis = Rpc(first.url, 5).call("eth_getBlockByNumber", "0x0", False)["hash"]
    first.kill()
    with node(tmp_path) as second:
        assert Rpc(second.url, 5).call("eth_getBlockByNumber", "0x0", False)["hash"] == genesis


def test_a_node_that_runs_on_keeps_few_states_and_writes_none_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own clock would hold 1,500 whole states in memory and write 3,600 into the user's home: gigabytes in an hour."""
    user = tmp_path / "user"
    user.mkdir()
    monkeypatch.setenv("HOME", str(user))
    with Node(tmp_path / "home", 0, block_seconds=0.005) as running:
        rpc = Rpc(running.url, 5)
        rpc.call("anvil_setBalance", "0x" + "01" * 20, "0x1")
        wait_height(running, 2 * HISTORY_BLOCKS)
        with pytest.raises(RpcError):
            rpc.call("eth_getBalance", "0x" + "01" * 20, "0x1")
        assert rpc.call("eth_getBalance", "0x" + "01" * 20, hex(running.health()["height"] - HISTORY_BLOCKS // 2)) == "0x1"
        running.kill()
    assert [p for p in user.rglob("*") if p.is_file()] == []


def test_no_account_of_the_node_itself_has_power(tmp_path: Path) -> None:
    """anvil's development accounts are in every tutorial: none may be unlocked or hold anything."""
    with node(tmp_path) as running:
        rpc = Rpc(running.url, 5)
        assert rpc.call("eth_accounts") == []
        well_known = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
        assert int(rpc.call("eth_getBalance", well_known, "latest"), 16) == 0
        with pytest.raises(RpcError):
            rpc.call("eth_sendTransaction", {"from": well_known, "to": well_known, "value": "0x0"})


def test_other_origins_get_no_permission(tmp_path: Path) -> None:
    """A web page the user happens to visit must not be able to talk to the node."""
    import urllib3

    with node(tmp_path) as running:
        asked = urllib3.PoolManager().request(
            "OPTIONS", running.url, headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        )
        assert "access-control-allow-origin" not in {k.lower() for k in asked.headers}


def test_a_torn_state_file_falls_back_to_the_copy(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with node(tmp_path) as first:
        wait_height(first, 2)
        genesis = Rpc(first.url, 5).call("eth_getBlockByNumber", "0x0", False)["hash"]
    recover_state(tmp_path)
    state = tmp_path / "state.json"
    state.write_bytes(state.read_bytes()[:1000])
    with node(tmp_path) as second:
        assert Rpc(second.url, 5).call("eth_getBlockByNumber", "0x0", False)["hash"] == genesis
    assert "torn" in caplog.text
    assert list(tmp_path.glob("state.torn-*.json"))


def test_two_torn_files_are_not_silently_a_new_chain(tmp_path: Path) -> None:
    for name in ("state.json", "state.last-good.json"):
        (tmp_path / name).write_text("{")
    with pytest.raises(NodeError, match="restore a backup"):
        node(tmp_path).start()


def test_a_torn_file_is_never_copied_over_a_whole_copy(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    (tmp_path / "state.last-good.json").write_text(json.dumps({"whole": True}))
    recover_state(tmp_path)
    assert json.loads((tmp_path / "state.json").read_text()) == {"whole": True}
    assert json.loads((tmp_path / "state.last-good.json").read_text()) == {"whole": True}


def test_a_taken_port_is_an_error_with_the_reason(tmp_path: Path) -> None:
    with node(tmp_path / "one") as running, pytest.raises(NodeError):
        Node(tmp_path / "two", running.port, chain_id=4242).start()


def test_a_missing_program_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTHTRUST_ANVIL", str(tmp_path / "nothing"))
    with pytest.raises(NodeError, match="HEALTHTRUST_ANVIL"):
        node(tmp_path).start()


def foreground(home: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "network.evm", "--home", str(home), "--port", str(port), "--block-seconds", "0.2"]
    with (home / "foreground.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stderr=log)
    until(lambda: answers(Node(home, port)))
    return process


def test_the_foreground_program_stops_in_order(tmp_path: Path) -> None:
    port = free_port()
    process = foreground(tmp_path, port)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 0
    with pytest.raises(NodeError):
        Node(tmp_path, port).health()


def test_the_node_dies_with_its_parent(tmp_path: Path) -> None:
    """A supervisor that is killed must not leave a node behind that holds port and state."""
    port = free_port()
    process = foreground(tmp_path, port)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: not answers(Node(tmp_path, port)))


def test_the_genesis_stays_through_many_starts(tmp_path: Path) -> None:
    """Anvil makes a genesis at every start and keeps all of them; only the chain's own may come back as block 0."""
    seen = set()
    for start in range(5):
        with node(tmp_path) as running:
            wait_height(running, start + 1)
            seen.add(Rpc(running.url, 5).call("eth_getBlockByNumber", "0x0", False)["hash"])
    assert len(seen) == 1
