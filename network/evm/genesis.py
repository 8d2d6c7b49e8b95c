"""The homes of a network of validators: keys, one genesis for all, and each node's configuration.

The steps can be taken one by one by organisations on hosts of their own (docs/decisions/0013-evm-validators.md): each makes its
keys and hands in the public ones, one writes the genesis from them, all get the same.

Power is counted in shares, and none belongs to a validator: all are the governance module's, which lends one to each. So power is
given and taken by a vote of the validators alone (network/evm/votes.py), and nobody can gather any.
"""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from network.ports import BLOCK
from network.processes import NetworkError

HOST = "127.0.0.1"
DENOM = "ashare"
#: Tokens behind one vote.
SHARE = 10**24
#: Tokens an operator has for the deposits that proposals need; those of all together are no vote.
POCKET = 10**15
#: Votes that governance may still lend beside the founders'.
RESERVE = 96
#: Module accounts: the first 20 bytes of SHA-256 of the module's name, in Bech32.
GOVERNANCE = "cosmos10d07y265gmmuvt4z0w9aw880jnsr700j6zn9kn"
_NOT_BONDED = "cosmos1tygms3xhhs3yv487phx3dw4a95jn7t7lpm470r"
BLOCK_GAS = 1_000_000_000
MEMPOOL = 50_000
#: Where contracts find the chain's SM2 and SM3 (network/evm/validator/precompiles.go), for ``deploy``.
SM2_PRECOMPILE = "0x0000000000000000000000000000000000534d32"
SM3_PRECOMPILE = "0x0000000000000000000000000000000000534D33"
_NOBODY = "0x" + "0" * 40
_STEP_SECONDS = 120.0
_PORTS = 4
_IDENTITY = "identity.json"
_NAME = re.compile("[a-z][a-z0-9]{0,30}")
_LONG_AGO = "1970-01-01T00:00:00Z"
#: With fewer validators, none may fail.
FEWEST = 4


@dataclass(frozen=True)
class Layout:
    """A network as ``network.json`` has it. ``accounts``: who may write; empty = anybody. ``block_seconds``: pause between
    blocks. ``organisations``: all that ever had a validator, in the order they came, which gives each its ports; ``left``: those
    of them that were put out."""

    chain_id: int
    organisations: tuple[str, ...]
    block_seconds: float
    accounts: tuple[str, ...]
    first_port: int
    left: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """CometBFT's name of the chain."""
        return f"healthtrust_{self.chain_id}-1"

    @property
    def nodes(self) -> list[Node]:
        """The validators that are in, in the order their organisations came."""
        return [node for node in self.everybody if node.name not in self.left]

    @property
    def everybody(self) -> list[Node]:
        """The nodes of all that ever were in."""
        return [Node(name, self.first_port + i * _PORTS) for i, name in enumerate(self.organisations)]

    def with_organisation(self, name: str) -> Layout:
        """With one more, or with one back in that was put out. Raises NetworkError when the name cannot be taken."""
        if not _NAME.fullmatch(name):
            raise NetworkError(f"{name!r} is no name for an organisation here: small letters and digits, a letter first")
        if name in self.left:
            return replace(self, left=tuple(other for other in self.left if other != name))
        if name in self.organisations:
            raise NetworkError(f"there is an organisation {name} already")
        if (len(self.organisations) + 1) * _PORTS > BLOCK:
            raise NetworkError(f"there is room for {BLOCK // _PORTS} organisations on one machine")
        return replace(self, organisations=(*self.organisations, name))

    def without_organisation(self, name: str) -> Layout:
        """With one of them out. Raises NetworkError for a name that is not in, or when too few would be left."""
        names = [node.name for node in self.nodes]
        if name not in names:
            raise NetworkError(f"no organisation {name}; there are {', '.join(names)}")
        if len(names) <= FEWEST:
            raise NetworkError(f"{name} cannot be put out: fewer than {FEWEST} validators cannot bear one that fails")
        return replace(self, left=(*self.left, name))

    def save(self, home: Path) -> None:
        """Write ``network.json``."""
        beside = home / "network.json.new"
        beside.write_text(json.dumps({"kind": "evm", **asdict(self)}, indent=1))
        beside.replace(home / "network.json")


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
    if "organisations" not in content:
        raise NetworkError(f"{home} holds a network of an older version; make a new one elsewhere")
    lists = {key: tuple(content[key]) for key in ("accounts", "organisations", "left")}
    return Layout(**{**content, **lists})


def make(home: Path, layout: Layout, program: Path) -> None:
    """Make every node's home, all with one genesis. ``network.json`` comes last: without it nothing was made."""
    tool = Tool(program, layout.name)
    with ThreadPoolExecutor(2) as pool:
        founders = list(pool.map(lambda node: tool.identity(home / node.name), layout.nodes))
    first = home / layout.nodes[0].name
    written = first / "config" / "genesis.json"
    written.write_text(json.dumps(_genesis(json.loads(written.read_bytes()), layout, founders)))
    tool.run(first, "genesis", "validate-genesis")
    for node in layout.nodes[1:]:
        _genesis_file(home, node).write_bytes(written.read_bytes())
    configure_all(home, layout)
    layout.save(home)


def join(home: Path, layout: Layout, name: str, program: Path) -> None:
    """Make the home of one more node of a network that runs, unless it is there, with the network's genesis."""
    node = next(node for node in layout.nodes if node.name == name)
    if not (home / name / _IDENTITY).exists():
        Tool(program, layout.name).identity(home / name)
    _genesis_file(home, node).write_bytes(_genesis_file(home, layout.everybody[0]).read_bytes())


def _genesis_file(home: Path, node: Node) -> Path:
    return home / node.name / "config" / "genesis.json"


def configure_all(home: Path, layout: Layout) -> None:
    """Write every node's settings: who its peers are changes with the network's members."""
    peers = {node: Identity.read(home / node.name).peer for node in layout.nodes}
    for node in layout.nodes:
        configure(home / node.name, node, layout, peers)


@dataclass(frozen=True)
class Identity:
    """What a node shows to others: its identity towards peers, the key of its vote (Ed25519, base64), its operator's account and
    the same as a validator's address."""

    peer: str
    key: str
    operator: str
    validator: str

    @classmethod
    def read(cls, home: Path) -> Identity:
        """As :meth:`Tool.identity` left it in a node's home."""
        return cls(**json.loads((home / _IDENTITY).read_bytes()))


class Tool:
    """The validator program's commands on one node's home. ``chain``: CometBFT's name of the chain."""

    def __init__(self, program: Path, chain: str) -> None:
        self._program = program
        self.chain = chain

    def identity(self, home: Path) -> Identity:
        """Make a node's keys; what it shows of them is also left in its home."""
        made = json.loads(self.run(home, "init", home.name, "--chain-id", self.chain, "--overwrite"))
        self.run(home, "keys", "add", "operator", "--keyring-backend", "test", "--algo", "eth_secp256k1")
        shown = ("keys", "show", "operator", "-a", "--keyring-backend", "test")
        key = json.loads((home / "config" / "priv_validator_key.json").read_bytes())["pub_key"]["value"]
        operator, validator = (self.run(home, *shown, "--bech", kind).strip() for kind in ("acc", "val"))
        identity = Identity(made["node_id"], key, operator, validator)
        (home / _IDENTITY).write_text(json.dumps(asdict(identity)))
        return identity

    def run(self, home: Path, *arguments: str) -> str:
        """One command on one home; what it says. Raises NetworkError."""
        command = [str(self._program), *arguments, "--home", str(home)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_STEP_SECONDS, check=False)
        if done.returncode:
            raise NetworkError(f"{home.name}: `validator {' '.join(arguments[:2])}` failed:\n{done.stderr[-800:]}")
        return done.stdout or done.stderr


def _genesis(made: dict[str, Any], layout: Layout, founders: Sequence[Identity]) -> dict[str, Any]:
    """The network's rules and founders, over the defaults."""
    state = made["app_state"]
    none = "0.000000000000000000"
    _lend(state["staking"], founders, made["genesis_time"])
    state["auth"]["accounts"] = [account(one.operator) for one in founders]
    pool = {_NOT_BONDED: (len(founders) + RESERVE) * SHARE, **{one.operator: POCKET for one in founders}}
    state["bank"]["balances"] = [{"address": address, "coins": [coins(amount)]} for address, amount in pool.items()]
    state["mint"]["params"] |= {"mint_denom": DENOM, "inflation_max": none, "inflation_min": none, "inflation_rate_change": none}
    state["mint"]["minter"]["inflation"] = none
    for deposit in ("min_deposit", "expedited_min_deposit"):
        state["gov"]["params"][deposit][0]["denom"] = DENOM
    # A vote is won by more than two thirds of all power, and then ends at once (network/evm/validator/votes.go).
    state["gov"]["params"] |= {"quorum": "0.667", "threshold": "0.667", "expedited_threshold": "0.75"}
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


def _lend(staking: dict[str, Any], founders: Sequence[Identity], started: str) -> None:
    """Governance lends each founder a vote, and gets its reserve with the first block: a genesis may give a module nothing, but
    may pay back what it once lent."""
    staking["params"] |= {"bond_denom": DENOM, "max_entries": 1000}
    staking["validators"] = [_validator(one) for one in founders]
    by = {"delegator_address": GOVERNANCE}
    staking["delegations"] = [{**by, "validator_address": one.validator, "shares": f"{SHARE}.{'0' * 18}"} for one in founders]
    amount = str(RESERVE * SHARE)
    reserve = {"creation_height": "0", "completion_time": started, "initial_balance": amount, "balance": amount}
    entry = {**reserve, "unbonding_id": "1", "unbonding_on_hold_ref_count": "0"}
    staking["unbonding_delegations"] = [{**by, "validator_address": founders[0].validator, "entries": [entry]}]


def _validator(one: Identity) -> dict[str, Any]:
    none = f"0.{'0' * 18}"
    rates = {"rate": none, "max_rate": none, "max_change_rate": none}
    return {
        "operator_address": one.validator,
        "consensus_pubkey": public_key(one),
        "jailed": False,
        "status": "BOND_STATUS_UNBONDED",
        "tokens": str(SHARE),
        "delegator_shares": f"{SHARE}.{'0' * 18}",
        "description": {"moniker": one.validator},
        "unbonding_height": "0",
        "unbonding_time": _LONG_AGO,
        "commission": {"commission_rates": rates, "update_time": _LONG_AGO},
        "min_self_delegation": "1",
        "unbonding_on_hold_ref_count": "0",
        "unbonding_ids": [],
    }


def public_key(one: Identity) -> dict[str, str]:
    """The key of a validator's vote, as the staking module writes it."""
    return {"@type": "/cosmos.crypto.ed25519.PubKey", "key": one.key}


def account(address: str) -> dict[str, Any]:
    """A new account in a genesis, by its Bech32 address."""
    kind = "/cosmos.auth.v1beta1.BaseAccount"
    return {"@type": kind, "address": address, "pub_key": None, "account_number": "0", "sequence": "0"}


def coins(amount: int) -> dict[str, str]:
    """An amount of the chain's coin."""
    return {"denom": DENOM, "amount": str(amount)}


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
    only those listed are let in: a node that runs sees a new list at once, the other settings when it starts."""
    others = {other: identity for other, identity in peers.items() if other != node}
    listed = home / "config" / "peers.json"
    listed.with_suffix(".new").write_text(json.dumps(sorted(others.values())))
    listed.with_suffix(".new").replace(listed)
    pause = _seconds(layout.block_seconds)
    _change(
        home / "config" / "config.toml",
        {
            "filter_peers": True,
            "p2p": {
                "laddr": f"tcp://{node.peer}",
                "persistent_peers": ",".join(f"{identity}@{other.peer}" for other, identity in others.items()),
                "unconditional_peer_ids": ",".join(others.values()),
                "private_peer_ids": ",".join(others.values()),
                "max_num_inbound_peers": BLOCK // _PORTS,
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
