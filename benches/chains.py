"""Ledgers for benches: a real node that holds many consents."""

from __future__ import annotations

import gzip
import json
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from eth_utils.crypto import keccak

from core.decision import ConsentStatus
from core.scope import Scope, commitment
from gateway.ledger.evm.open import Deployment
from gateway.ledger.evm.rpc import Rpc
from network.binaries import built
from network.evm import genesis
from network.evm.genesis import Layout, Tool
from network.evm.validators import ValidatorNetwork
from tests.support.chains import EvmChain

START_SECONDS = 900.0
"""A validator reads a million consents from its genesis before its first block."""


@dataclass(frozen=True, slots=True)
class Held:
    """A consent the ledger holds, as its grantee has it."""

    subject: bytes
    consent: bytes
    words: bytes
    salt: bytes

    @classmethod
    def like(cls, scope: Scope) -> Self:
        """A consent of this scope, of a subject of its own."""
        subject, consent, salt = (secrets.token_bytes(32) for _ in range(3))
        return cls(subject, consent, scope.words().replace(scope.subject, subject), salt)

    def storage(self, packed: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Slots and words of the contract's storage, as ``grant`` leaves them; ``packed`` is the word of times and status."""
        slot = int.from_bytes(keccak(self.consent + bytes(32)), "big")
        words = (self.subject, commitment(self.salt, self.words), packed)
        return (((slot + i).to_bytes(32, "big"), word) for i, word in enumerate(words))


class SeededChain:
    """One validator of the consortium's program whose first block holds everything that a node had, and so many consents more:
    granting a million with their signatures would take an hour. (The embedded node holds them too, but makes the root of all its
    storage anew for every block.)"""

    def __init__(self, before: EvmChain, scope: Scope, consents: int, block_seconds: float) -> None:
        self.held = [Held.like(scope) for _ in range(consents)]
        self._temporary = tempfile.TemporaryDirectory(prefix="chain-")
        home = Path(self._temporary.name)
        founded = json.loads(before.contracts_file.read_text())
        accounts = _accounts(before)
        packed = (scope.start | scope.end << 64 | ConsentStatus.ACTIVE << 248).to_bytes(32, "big")
        storage = accounts[Deployment.read(before.contracts_file).contracts["Consent"]]["storage"]
        for held in self.held:
            storage += [{"key": f"0x{slot.hex()}", "value": f"0x{word.hex()}"} for slot, word in held.storage(packed)]
        self.network = _Seeded(home / "network", int(founded["chainId"]), block_seconds, accounts)
        try:
            self.network.start()
            self.url = self.network.urls[0]
            self.contracts = json.dumps({**founded, "genesis": _genesis_of(self.url)})
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the node and remove what it kept."""
        self.network.stop()
        self._temporary.cleanup()


class _Seeded(ValidatorNetwork):
    """A network of one, with contracts and their storage in the genesis."""

    start_seconds = START_SECONDS

    def __init__(self, home: Path, chain_id: int, block_seconds: float, accounts: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(home, block_seconds=block_seconds)
        self._wanted = Layout(chain_id, ("validator1",), block_seconds, (), 0)
        self._accounts = accounts

    def _make(self) -> None:
        super()._make()
        node = self.layout.nodes[0]
        tool = Tool(built("validator"), self.layout.name)
        written = self.home / node.name / "config" / "genesis.json"
        made = json.loads(written.read_bytes())
        state = made["app_state"]
        for address in self._accounts:
            said = tool.run(self.home / node.name, "debug", "addr", address.removeprefix("0x"))
            bech32 = next(line.split()[-1] for line in said.splitlines() if line.startswith("Bech32 Acc"))
            state["auth"]["accounts"].append(genesis.account(bech32))
        state["evm"]["accounts"] = [{"address": address, **account} for address, account in self._accounts.items()]
        written.write_text(json.dumps(made))


def _accounts(chain: EvmChain) -> dict[str, dict[str, Any]]:
    """Code and storage of every contract of a node, by address."""
    rpc = Rpc(chain.url, 60.0)
    dumped = json.loads(gzip.decompress(bytes.fromhex(rpc.call("anvil_dumpState")[2:])))
    rpc.close()
    return {
        address: {
            "code": account["code"].removeprefix("0x"),
            "storage": [{"key": k, "value": v} for k, v in account["storage"].items()],
        }
        for address, account in dumped["accounts"].items()
        if len(account["code"]) > 2
    }


def _genesis_of(url: str) -> str:
    rpc = Rpc(url, 60.0)
    found: str = rpc.call("eth_getBlockByNumber", "0x0", False)["hash"]
    rpc.close()
    return found
