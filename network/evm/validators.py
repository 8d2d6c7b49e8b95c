"""A consortium's EVM chain on one machine: four validators or more, Byzantine fault tolerant and final at once.

Each validator is a process with a home and keys of its own, as it would be on an organisation's host. With four, one may fail in
any way and the chain goes on; with two gone it stops and answers nothing wrong; when they are back it goes on where it was
(docs/decisions/0013-evm-validators.md).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import urllib3

from network import ports
from network.binaries import built
from network.evm import genesis
from network.evm.genesis import FEWEST, Layout, Node
from network.evm.votes import Votes
from network.kinds import NetworkStatus, PartStatus
from network.processes import NetworkError, Processes, Program, alone

CHAIN_ID = 262144


class ValidatorNetwork:
    """``validators`` nodes under ``home``. ``block_seconds``: pause between blocks. ``accounts``: those that may write, 0x…;
    empty = anybody. What an existing home holds wins over these. ``attached``: the nodes end when this process does."""

    start_seconds = 120.0
    """How long a node may take until it is in step with the others."""

    def __init__(
        self,
        home: Path,
        validators: int = 4,
        block_seconds: float = 1.0,
        accounts: Sequence[str] = (),
        chain_id: int = CHAIN_ID,
        attached: bool = True,
    ) -> None:
        if validators < FEWEST:
            raise NetworkError(f"{validators} validators cannot bear one that fails; {FEWEST} can")
        self.home = home.resolve()
        founders = tuple(f"validator{number}" for number in range(1, validators + 1))
        self._wanted = Layout(chain_id, founders, block_seconds, tuple(accounts), 0)
        self._processes = Processes(self.home, attached)
        self._claim: ports.Claim | None = None
        self._http = urllib3.PoolManager(retries=False, timeout=5.0)

    @property
    def layout(self) -> Layout:
        """What the network consists of. Raises NetworkError before it was made."""
        found = genesis.load(self.home)
        if found is None:
            raise NetworkError(f"there is no network under {self.home}; start it first")
        return found

    @property
    def urls(self) -> list[str]:
        """JSON-RPC address of every validator."""
        return [node.url for node in self.layout.nodes]

    @property
    def names(self) -> list[str]:
        """Part names, in the order of ``urls``."""
        return [node.name for node in self.layout.nodes]

    def start(self) -> None:
        """Make the network if the home is new, start every validator, wait until blocks are made."""
        if genesis.load(self.home) is None:
            self._make()
        self.heal()

    def stop(self) -> None:
        """End every validator in order."""
        self._processes.stop(self._processes.running())
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    def kill(self, *parts: str) -> None:
        """SIGKILL validators at once. ``leader``: the one that proposes the next block."""
        self._processes.kill([self._leader() if part == "leader" else self._known(part) for part in parts])

    def heal(self) -> None:
        """Start every validator that does not run, and wait until all are at the newest block."""
        if self._changing.exists():
            with self._alone():
                self._settle()
        self.start_some(*self.names)
        self._await_step(self.layout.nodes)

    def _await_step(self, nodes: Sequence[Node]) -> None:
        """Wait until these have a block that was made from now on: then the chain goes on, and they count in it."""
        names = [node.name for node in nodes]
        known = max(self._height(node) or 0 for node in nodes)
        what = f"{', '.join(names)} at the newest block"
        self._processes.wait_for(what, lambda: self._in_step(nodes, known + 1), self.start_seconds, names)

    def start_some(self, *parts: str) -> None:
        """Start some validators without waiting for anything, as hosts that come back one by one."""
        if self._claim is None:
            self._claim = ports.claim_again(self.layout.first_port)
        for node in self.layout.nodes:
            if node.name in parts:
                self._processes.start(self._program(node))

    def add_organisation(self, name: str) -> None:
        """Let one more organisation in while the network runs, or one that was put out back in: its node joins and catches up,
        and more than two thirds of the validators vote it in. Raises NetworkError when the name cannot be taken."""
        with self._alone():
            plan = self.layout.with_organisation(name)
            genesis.join(self.home, plan, name, built("validator"))
            self._change(plan)

    def remove_organisation(self, name: str) -> None:
        """Put an organisation out while the network runs: more than two thirds of the validators, without its own vote, take its
        vote away, and no node talks to its node any more. Its home is kept. Raises NetworkError."""
        with self._alone():
            plan = self.layout.without_organisation(name)
            self._change(plan)

    def _alone(self) -> AbstractContextManager[None]:
        """Two commands at once do not change the same thing."""
        return alone(self.home / "changes.lock")

    @property
    def _changing(self) -> Path:
        """Is there while a change of members is under way; ``heal`` ends one that was cut off."""
        return self.home / "changing"

    def _change(self, plan: Layout) -> None:
        self._changing.touch()
        plan.save(self.home)
        self._settle()

    def _settle(self) -> None:
        """Bring what runs in line with the layout. Nodes that run see their new list of peers at once and are not restarted."""
        nodes = self.layout.nodes
        genesis.configure_all(self.home, self.layout)
        self.start_some(*self.names)
        wanted = {self._identity(node).validator: node for node in nodes}
        votes = Votes(self.home, self.layout, built("validator"), self._processes.wait_for)
        members = votes.members()
        for validator in members - set(wanted):
            votes.take(validator)
        self._processes.stop([node.name for node in self.layout.everybody if node not in nodes])
        self._await_step(nodes)
        for validator in set(wanted) - members:
            votes.lend(wanted[validator])
        self._changing.unlink()

    def _identity(self, node: Node) -> genesis.Identity:
        return genesis.Identity.read(self.home / node.name)

    def status(self) -> NetworkStatus:
        """What runs, and how far it is."""
        parts = [self._part(node) for node in self.layout.nodes]
        return {"kind": "evm", "consensus": "bft", "ready": self._in_step(self.layout.nodes), "parts": parts}

    def __enter__(self) -> ValidatorNetwork:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _make(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self._claim = ports.claim()
        layout = Layout(**{**vars(self._wanted), "first_port": self._claim.first})
        for node in layout.nodes:
            # What a start that was cut off left behind.
            shutil.rmtree(self.home / node.name, ignore_errors=True)
        genesis.make(self.home, layout, built("validator"))

    def _program(self, node: Node) -> Program:
        home = self.home / node.name
        command = (str(built("validator")), "start", "--home", str(home), "--chain-id", self.layout.name, "--log_level", "warn")
        return Program(node.name, command, {"HOME": str(home)})

    def _known(self, part: str) -> str:
        if part not in self.names:
            raise NetworkError(f"no validator {part} here; there are {', '.join(self.names)}")
        return part

    def _leader(self) -> str:
        """The validator whose turn it is to propose."""
        keys = {self._comet(node, "status")["validator_info"]["address"]: node.name for node in self._alive()}
        for node in self._alive():
            round_ = self._comet(node, "consensus_state")["round_state"]
            if round_["proposer"]["address"] in keys:
                return keys[round_["proposer"]["address"]]
        raise NetworkError("no validator that runs knows whose turn it is")

    def _alive(self) -> list[Node]:
        return [node for node in self.layout.nodes if self._processes.pid(node.name) and self._height(node)]

    def _in_step(self, nodes: Sequence[Node], least: int = 1) -> bool:
        """Whether each of these has block ``least`` and the newest that any of them has, give or take the one being made."""
        heights = [self._height(node) or 0 for node in nodes]
        return min(heights) >= least and max(heights) - min(heights) <= 1

    def _part(self, node: Node) -> PartStatus:
        pid = self._processes.pid(node.name)
        return {"name": node.name, "role": "validator", "pid": pid, "address": node.url, "height": self._height(node)}

    def _height(self, node: Node) -> int | None:
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
        try:
            return int(self._http.request("POST", node.url, json=body).json()["result"], 16)
        except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError):
            return None

    def _comet(self, node: Node, question: str) -> dict[str, Any]:
        """An answer of CometBFT's own RPC."""
        try:
            answer: dict[str, Any] = self._http.request("GET", f"http://{node.comet}/{question}").json()["result"]
        except (urllib3.exceptions.HTTPError, ValueError, KeyError) as error:
            raise NetworkError(f"{node.name} does not answer {question}: {error}") from error
        return answer
