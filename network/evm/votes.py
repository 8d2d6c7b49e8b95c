"""Votes of the validators on who is one of them: governance, which all shares belong to, lends a vote or takes it back.

Every step is a transaction of one operator, signed with the program's own commands in that operator's home. On one machine all
homes are here; in production each organisation gives the two commands of its own: ``tx gov submit-proposal`` and ``tx gov vote``.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

from network.evm.genesis import DENOM, GOVERNANCE, POCKET, SHARE, Identity, Layout, Node, Tool, coins, public_key
from network.processes import NetworkError

_SECONDS = 120.0
_GAS = 2_000_000
_DEPOSIT = 50_000_000
"""Tokens: what x/gov asks for any kind of proposal, and gives back."""
Wait = Callable[[str, Callable[[], bool], float, Iterable[str]], None]


class Votes:
    """Proposals on a network that runs. ``wait``: ``Processes.wait_for`` of the network."""

    def __init__(self, home: Path, layout: Layout, program: Path, wait: Wait) -> None:
        self._home, self._layout = home, layout
        self._tool = Tool(program, layout.name)
        self._wait = wait
        self._http = urllib3.PoolManager(timeout=10.0)

    def members(self) -> set[str]:
        """Addresses of the validators that have a vote now."""
        found = self._ask("staking", "validators", "--page-limit", "1000")["validators"]
        return {one["operator_address"] for one in found if int(one["tokens"]) >= SHARE}

    def lend(self, node: Node) -> None:
        """Give a node that runs a vote. Raises NetworkError when not enough agree."""
        identity = Identity.read(self._home / node.name)
        if not self._registered(identity):
            self._register(node, identity)
        self._pass(f"a vote for {node.name}", "Delegate", identity.validator)

    def take(self, validator: str) -> None:
        """Take a validator's vote. Raises NetworkError when not enough agree."""
        self._pass(f"no vote for {validator}", "Undelegate", validator)

    def _pass(self, title: str, kind: str, validator: str) -> None:
        """Propose it, and let every validator that has a vote and runs say yes."""
        message = {"@type": f"/cosmos.staking.v1beta1.Msg{kind}", "delegator_address": GOVERNANCE}
        message |= {"validator_address": validator, "amount": coins(SHARE)}  # type: ignore[dict-item]
        voters = self._voters(validator)
        proposal = self._propose(voters[0], {"messages": [message], "title": title, "summary": title})
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda node: self._agree(node, proposal), voters))
        self._wait(f"the validators agree to {title}", lambda: self._won(proposal, title), _SECONDS, ())

    def _agree(self, node: Node, proposal: str) -> None:
        """Say yes, unless the vote is over: it ends as soon as it is won."""
        try:
            self._send(node, "gov", "vote", proposal, "yes")
        except NetworkError as error:
            if "inactive proposal" not in str(error):
                raise

    def _voters(self, but: str) -> list[Node]:
        members = self.members() - {but}
        return [node for node in self._layout.nodes if Identity.read(self._home / node.name).validator in members]

    def _propose(self, node: Node, content: dict[str, Any]) -> str:
        """The number of a new proposal."""
        document = {**content, "deposit": f"{_DEPOSIT}{DENOM}", "metadata": ""}
        with self._document(document) as path:
            done = self._send(node, "gov", "submit-proposal", path)
        numbers = [
            attribute["value"]
            for event in done["events"]
            for attribute in event["attributes"]
            if attribute["key"] == "proposal_id"
        ]
        return str(numbers[0])

    def _won(self, proposal: str, title: str) -> bool:
        found = self._ask("gov", "proposal", proposal)["proposal"]
        if found["status"] in ("PROPOSAL_STATUS_REJECTED", "PROPOSAL_STATUS_FAILED"):
            raise NetworkError(f"{title}: the validators did not agree {found.get('failed_reason', '')}".rstrip())
        return bool(found["status"] == "PROPOSAL_STATUS_PASSED")

    def _registered(self, identity: Identity) -> bool:
        found = self._ask("staking", "validators", "--page-limit", "1000")["validators"]
        return identity.validator in {one["operator_address"] for one in found}

    def _register(self, node: Node, identity: Identity) -> None:
        """Make a node known as one that could vote. A token, which counts for nothing, and deposits come from a member."""
        member = next(one for one in self._layout.nodes if one != node)
        self._send(member, "bank", "send", "operator", identity.operator, f"{POCKET // 10**3}{DENOM}")
        document = {"pubkey": public_key(identity), "amount": f"1{DENOM}", "moniker": node.name, "min-self-delegation": "1"}
        rates = {"commission-rate": "0", "commission-max-rate": "0", "commission-max-change-rate": "0"}
        with self._document({**document, **rates}) as path:
            self._send(node, "staking", "create-validator", path)

    def _send(self, node: Node, module: str, *command: str) -> dict[str, Any]:
        """A transaction of a node's operator, once it is in a block. Raises NetworkError when it is refused."""
        signed = ("--from", "operator", "--keyring-backend", "test", "--chain-id", self._tool.chain, "--yes")
        paid = ("--gas", str(_GAS), "--gas-prices", f"0{DENOM}")
        sent = self._command(node, "tx", module, *command, *signed, *paid)
        if sent["code"]:
            raise NetworkError(f"{node.name}: {module} {command[0]} was refused: {sent['raw_log']}")
        done: dict[str, Any] = {}
        self._wait(f"{module} {command[0]} is in a block", lambda: self._found(node, sent["txhash"], done), _SECONDS, [node.name])
        if done["code"]:
            raise NetworkError(f"{node.name}: {module} {command[0]} failed: {done['log']}")
        return done

    def _found(self, node: Node, transaction: str, done: dict[str, Any]) -> bool:
        """Whether it is in a block; then what came of it is put into ``done``."""
        answer = self._http.request("GET", f"http://{node.comet}/tx", fields={"hash": f"0x{transaction}"}).json()
        done |= answer.get("result", {}).get("tx_result", {})
        return bool(done)

    def _ask(self, *question: str) -> dict[str, Any]:
        return self._command(self._layout.nodes[0], "query", *question)

    def _command(self, node: Node, *arguments: str) -> dict[str, Any]:
        told = self._tool.run(self._home / node.name, *arguments, "--node", f"tcp://{node.comet}", "--output", "json")
        answer: dict[str, Any] = json.loads(told)
        return answer

    @contextmanager
    def _document(self, content: dict[str, Any]) -> Iterator[str]:
        """A file for a command that reads one."""
        with tempfile.NamedTemporaryFile("w", dir=self._home, suffix=".json") as file:
            file.write(json.dumps(content))
            file.flush()
            yield file.name
