"""Ledgers for benches: a real node that holds many consents."""

from __future__ import annotations

import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from eth_utils.crypto import keccak

from contracts.script.compile import build
from core.decision import ConsentStatus
from core.scope import Scope, commitment
from gateway.ledger.evm.open import Deployment, Limits
from gateway.ledger.evm.rpc import Rpc
from network.evm.node import Node
from tests.support.chains import EvmChain

CHUNK = 20_000
FEW = 16
"""Blocks whose states the node keeps: a million consents are hundreds of megabytes in each."""


class _Unsaved(Node):
    def _command(self) -> list[str]:
        command = super()._command()
        at = command.index("--state")
        command[command.index("--prune-history") + 1] = str(FEW)
        return command[:at] + command[at + 4 :]

    def _await_first_state(self, deadline: float) -> None:
        """There is none."""


class UnsavedChain(EvmChain):
    """A node that keeps its state in memory alone: the embedded node would write a million consents as JSON every second."""

    def __init__(self, block_seconds: float = 1.0) -> None:
        build()
        self._temporary = tempfile.TemporaryDirectory(prefix="chain-")
        self.home = Path(self._temporary.name)
        self.node = _Unsaved(self.home / "node", 0, block_seconds=block_seconds).start()
        self.limits = Limits()
        self.founded = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A consent the ledger holds, as its grantee has it."""

    subject: bytes
    consent: bytes
    words: bytes
    salt: bytes


def seed_consents(chain: EvmChain, scope: Scope, count: int) -> list[Held]:
    """Put so many consents of this scope, each of another subject, into the contract's storage, word for word as ``grant`` leaves
    them: granting a million with their signatures would take an hour."""
    address = Deployment.read(chain.contracts_file).contracts["Consent"]
    rpc, like, made = Rpc(chain.url, 120.0), scope.words(), []
    packed = scope.start | scope.end << 64 | ConsentStatus.ACTIVE << 248
    for start in range(0, count, CHUNK):
        writes = []
        for _ in range(min(CHUNK, count - start)):
            subject, consent, salt = (secrets.token_bytes(32) for _ in range(3))
            held = Held(subject, consent, like.replace(scope.subject, subject), salt)
            slot = int.from_bytes(keccak(consent + bytes(32)), "big")
            words = (subject, commitment(salt, held.words), packed.to_bytes(32, "big"))
            writes += [("anvil_setStorageAt", [address, hex(slot + i), "0x" + w.hex()]) for i, w in enumerate(words)]
            made.append(held)
        rpc.all(writes)
    rpc.close()
    return made
