"""The homes of a network of validators: keys, one genesis for all, and each node's configuration.

The steps are those of any CometBFT chain of the Cosmos SDK, so that organisations on hosts of their own can take them one by one
(docs/decisions/0013-evm-validators.md): each makes its keys and its signed entry, one collects the entries, all get the genesis.
"""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from network.processes import NetworkError

HOST = "127.0.0.1"
DENOM = "ashare"
SHARE = 10**24
BLOCK_GAS = 1_000_000_000
MEMPOOL = 50_000
#: Where contracts find the chain's SM2 and SM3 (network/evm/validator/precompiles.go), for ``deploy``.
SM2_PRECOMPILE = "0x0000000000000000000000000000000000534d32"
SM3_PRECOMPILE = "0x0000000000000000000000000000000000534D33"
_NOBODY = "0x" + "0" * 40
_STEP_SECONDS = 120.0
_PORTS = 4


@dataclass(frozen=True)
class Layout:
    """A network as ``network.json`` has it. ``accounts``: who may write; empty = anybody. ``block_seconds``: pause between
    blocks."""

    chain_id: int
    validators: int
    block_seconds: float
    accounts: tuple[str, ...]
    first_port: int

    @property
    def name(self) -> str:
        """CometBFT's name of the chain."""
        return f"healthtrust_{self.chain_id}-1"

    @property
    def nodes(self) -> list[Node]:
        """All validators, ``validator1`` first."""
        return [Node(f"validator{i + 1}", self.first_port + i * _PORTS) for i in range(self.validators)]

    def save(self, home: Path) -> None:
        """Write ``network.json``."""
        (home / "network.json").write_text(json.dumps({"kind": "evm", **asdict(self)}, indent=1))


@dataclass(frozen=True)
class Node:
    """One validator: name and ports."""

    name: str
    port: int

    @property
    def url(self) -> str:
        """JSON-RPC."""
        return f"http://{HOST}:{self.port}"

    @property
    def websocket(self) -> str:
        """JSON-RPC over WebSocket, host and port."""
        return f"{HOST}:{self.port + 1}"

    @property
    def comet(self) -> str:
        """CometBFT's own RPC, host and port."""
        return f"{HOST}:{self.port + 2}"

    @property
    def peer(self) -> str:
        """Where other validators connect to."""
        return f"{HOST}:{self.port + 3}"


def load(home: Path) -> Layout | None:
    """The layout under a home; None when there is no network there. Raises NetworkError when another kind is."""
    path = home / "network.json"
    if not path.exists():
        return None
    content = json.loads(path.read_bytes())
    if content.pop("kind", "") != "evm":
        raise NetworkError(f"{home} holds a network of another kind")
    return Layout(**{**content, "accounts": tuple(content["accounts"])})


def make(home: Path, layout: Layout, program: Path) -> None:
    """Make every node's home, all with one genesis. ``network.json`` comes last: without it nothing was made."""
    homes = [home / node.name for node in layout.nodes]
    tool = _Tool(program, layout)
    with ThreadPoolExecutor(2) as pool:
        peers = list(pool.map(tool.keys, homes))
    genesis = homes[0] / "config" / "genesis.json"
    genesis.write_text(json.dumps(_genesis(json.loads(genesis.read_bytes()), layout)))
    for operator in (tool.operator(one) for one in homes):
        tool.run(homes[0], "genesis", "add-genesis-account", operator, f"{2 * SHARE}{DENOM}")
    for other in homes[1:]:
        (other / "config" / "genesis.json").write_bytes(genesis.read_bytes())
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(tool.entry, homes))
    _collect(tool, homes)
    for node, one in zip(layout.nodes, homes, strict=True):
        configure(one, node, layout, dict(zip(layout.nodes, peers, strict=True)))
    layout.save(home)


def _collect(tool: _Tool, homes: Sequence[Path]) -> None:
    """All signed entries into the genesis of the first, and that genesis to everybody."""
    entries = homes[0] / "config" / "gentx"
    for other in homes[1:]:
        for entry in (other / "config" / "gentx").iterdir():
            (entries / entry.name).write_bytes(entry.read_bytes())
    tool.run(homes[0], "genesis", "collect-gentxs")
    tool.run(homes[0], "genesis", "validate-genesis")
    whole = (homes[0] / "config" / "genesis.json").read_bytes()
    for other in homes[1:]:
        (other / "config" / "genesis.json").write_bytes(whole)


class _Tool:
    """The validator program's commands that make a chain."""

    def __init__(self, program: Path, layout: Layout) -> None:
        self._program = program
        self._chain = layout.name

    def keys(self, home: Path) -> str:
        """A node's keys: its identity towards peers (returned), its vote, its operator's account."""
        made = json.loads(self.run(home, "init", home.name, "--chain-id", self._chain, "--overwrite"))
        self.run(home, "keys", "add", "operator", "--keyring-backend", "test", "--algo", "eth_secp256k1")
        peer: str = made["node_id"]
        return peer

    def operator(self, home: Path) -> str:
        """The account of a node's operator."""
        return self.run(home, "keys", "show", "operator", "-a", "--keyring-backend", "test").strip()

    def entry(self, home: Path) -> None:
        """A node's signed entry for the genesis: equal shares, so that each validator has one vote."""
        named = ("--chain-id", self._chain, "--keyring-backend", "test", "--gas-prices", f"0{DENOM}")
        self.run(home, "genesis", "gentx", "operator", f"{SHARE}{DENOM}", *named)

    def run(self, home: Path, *arguments: str) -> str:
        """One command on one home; what it says. Raises NetworkError."""
        command = [str(self._program), *arguments, "--home", str(home)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_STEP_SECONDS, check=False)
        if done.returncode:
            raise NetworkError(f"{home.name}: `validator {' '.join(arguments[:2])}` failed:\n{done.stderr[-800:]}")
        return done.stdout or done.stderr


def _genesis(made: dict[str, Any], layout: Layout) -> dict[str, Any]:
    """The network's rules, over the defaults."""
    state = made["app_state"]
    none = "0.000000000000000000"
    state["staking"]["params"]["bond_denom"] = DENOM
    state["mint"]["params"] |= {"mint_denom": DENOM, "inflation_max": none, "inflation_min": none, "inflation_rate_change": none}
    state["mint"]["minter"]["inflation"] = none
    for deposit in ("min_deposit", "expedited_min_deposit"):
        state["gov"]["params"][deposit][0]["denom"] = DENOM
    # A validator that is down votes again when it is back: nobody is fined or put out for that, only for voting twice.
    state["slashing"]["params"] |= {"min_signed_per_window": none, "slash_fraction_downtime": none}
    # Fees are zero, and unused gas is not charged: else half of every limit counts against the block.
    state["feemarket"]["params"] |= {"no_base_fee": True, "base_fee": none, "min_gas_price": none, "min_gas_multiplier": none}
    state["evm"]["params"] |= {"evm_denom": DENOM, "access_control": _access(layout.accounts)}
    active = state["evm"]["params"]["active_static_precompiles"]
    state["evm"]["params"]["active_static_precompiles"] = sorted({*active, SM2_PRECOMPILE, SM3_PRECOMPILE})
    state["erc20"] |= {"token_pairs": [], "native_precompiles": []}
    units = [{"denom": DENOM, "exponent": 0, "aliases": []}, {"denom": "share", "exponent": 18, "aliases": []}]
    named = {"base": DENOM, "display": "share", "name": "share", "symbol": "SHARE", "uri": "", "uri_hash": ""}
    state["bank"]["denom_metadata"] = [{"description": "validators' shares", "denom_units": units, **named}]
    made["consensus"]["params"]["block"]["max_gas"] = str(BLOCK_GAS)
    return made


def _access(accounts: Iterable[str]) -> dict[str, Any]:
    """Who may create contracts and call them. Address zero, which nobody can sign for, stands for questions without a sender."""
    listed = [*accounts]
    if not listed:
        anybody = {"access_type": "ACCESS_TYPE_PERMISSIONLESS", "access_control_list": []}
        return {"create": anybody, "call": anybody}
    kind = "ACCESS_TYPE_PERMISSIONED"
    return {
        "create": {"access_type": kind, "access_control_list": listed},
        "call": {"access_type": kind, "access_control_list": [*listed, _NOBODY]},
    }


def configure(home: Path, node: Node, layout: Layout, peers: Mapping[Node, str]) -> None:
    """Write a node's settings over the defaults. Peers prove their identity by key, all traffic between them is encrypted, and
    only those listed are let in."""
    others = {other: identity for other, identity in peers.items() if other != node}
    pause = _seconds(layout.block_seconds)
    _change(
        home / "config" / "config.toml",
        {
            "p2p": {
                "laddr": f"tcp://{node.peer}",
                "persistent_peers": ",".join(f"{identity}@{other.peer}" for other, identity in others.items()),
                "unconditional_peer_ids": ",".join(others.values()),
                "private_peer_ids": ",".join(others.values()),
                "max_num_inbound_peers": 0,
                "max_num_outbound_peers": 0,
                "pex": False,
                "addr_book_strict": False,
                "allow_duplicate_ip": True,
                "flush_throttle_timeout": "10ms",
                "send_rate": 51_200_000,
                "recv_rate": 51_200_000,
            },
            "rpc": {"laddr": f"tcp://{node.comet}", "pprof_laddr": ""},
            "mempool": {"size": MEMPOOL, "cache_size": 2 * MEMPOOL, "max_txs_bytes": 2**31},
            "consensus": {
                "timeout_commit": pause,
                "timeout_propose": _seconds(max(1.0, 3 * layout.block_seconds)),
                "peer_gossip_sleep_duration": "10ms",
            },
            "instrumentation": {"prometheus": False},
        },
    )
    _change(
        home / "config" / "app.toml",
        {
            "minimum-gas-prices": f"0{DENOM}",
            "pruning": "nothing",
            "mempool": {"max-txs": MEMPOOL},
            "evm": {"evm-chain-id": layout.chain_id},
            "api": {"enable": False},
            "grpc": {"enable": False},
            "grpc-web": {"enable": False},
            "json-rpc": {
                "enable": True,
                "address": node.url.removeprefix("http://"),
                "ws-address": node.websocket,
                # The last is ours and answers eth_call instead (network/evm/validator/calls.go).
                "api": "eth,net,web3,txpool,calls",
                "evm-timeout": "60s",
                "gas-cap": BLOCK_GAS,
                "logs-cap": 1_000_000,
                "block-range-cap": 1_000_000,
                "http-timeout": "120s",
                "enable-indexer": False,
            },
        },
    )


def _seconds(value: float) -> str:
    return f"{round(value * 1000)}ms"


def _change(path: Path, changes: Mapping[str, Any]) -> None:
    """Settings into a TOML file, by table. Raises NetworkError for one that the program does not know: a slip would be silent."""
    content = tomllib.loads(path.read_text("utf-8"))
    for key, value in changes.items():
        known = content if not isinstance(value, Mapping) else content.get(key, {})
        for name in [key] if known is content else value:
            if name not in known:
                raise NetworkError(f"{path}: this version of the program has no setting {key} {name}")
        if isinstance(value, Mapping):
            known.update(value)
        else:
            content[key] = value
    path.write_text("\n".join(_toml(content)) + "\n", "utf-8")


def _toml(table: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    """TOML lines of a table and those below it. Text, numbers, truth and lists are written alike in TOML and JSON."""
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    yield from (f"{key} = {json.dumps(value)}" for key, value in table.items() if key not in tables)
    for key, value in tables.items():
        yield f"\n[{prefix}{key}]"
        yield from _toml(value, f"{prefix}{key}.")
