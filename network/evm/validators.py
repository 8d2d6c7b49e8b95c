"""A consortium's EVM chain on one machine: four validators or more, Byzantine fault tolerant and final at once.

Each validator is a process with a home and keys of its own, as it would be on an organisation's host. With four, one may fail in
any way and the chain goes on; with two gone it stops and answers nothing wrong; when they are back it goes on where it was
(docs/decisions/0013-evm-validators.md).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import urllib3

from network import ports
from network.binaries import built
from network.evm import genesis
from network.evm.genesis import Layout, Node
from network.kinds import NetworkStatus, PartStatus
from network.processes import NetworkError, Processes, Program

START_SECONDS = 120.0
FEWEST = 4
CHAIN_ID = 262144


class ValidatorNetwork:
    """``validators`` nodes under ``home``. ``block_seconds``: pause between blocks. ``accounts``: those that may write, 0x…;
    empty = anybody. What an existing home holds wins over these. ``attached``: the nodes end when this process does."""

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
        self._wanted = Layout(chain_id, validators, block_seconds, tuple(accounts), 0)
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
        self.start_some(*self.names)
        self._processes.wait_for("all validators at the newest block", self._in_step, START_SECONDS, self.names)

    def start_some(self, *parts: str) -> None:
        """Start some validators without waiting for anything, as hosts that come back one by one."""
        if self._claim is None:
            self._claim = ports.claim_again(self.layout.first_port)
        for node in self.layout.nodes:
            if node.name in parts:
                self._processes.start(self._program(node))

    def status(self) -> NetworkStatus:
        """What runs, and how far it is."""
        parts = [self._part(node) for node in self.layout.nodes]
        return {"kind": "evm", "consensus": "bft", "ready": self._in_step(), "parts": parts}

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

    def _in_step(self) -> bool:
        """Whether every validator has the newest block any of them has, give or take the one being made."""
        heights = [self._height(node) or 0 for node in self.layout.nodes]
        return min(heights) >= 1 and max(heights) - min(heights) <= 1

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
