"""Ledgers to test on: a real EVM node, a real Fabric network, and the in-memory double."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

from coincurve import PublicKey
from eth_utils.crypto import keccak

from contracts.script.compile import build
from contracts.script.deploy import Member, deploy
from core import crypto
from gateway.ledger.evm.ledger import EvmLedger
from gateway.ledger.evm.open import Deployment, Limits, connect
from gateway.ledger.fabric import open as fabric
from gateway.ledger.fabric.found import Founder, found
from gateway.ledger.fabric.gateway import Gateway
from gateway.ledger.fabric.identity import Identity, LocalSigner
from gateway.ledger.fabric.ledger import FabricLedger
from gateway.ledger.fabric.profile import Profile
from gateway.ledger.memory.chain import MemoryChain
from gateway.ledger.memory.ledger import MemoryLedger
from gateway.ledger.port import Ledger
from network.evm.node import Node, keep_copy
from network.fabric.network import FabricNetwork
from tests.support.waiting import until
from tests.support.world import Founded, Organisation

BLOCK_SECONDS = 0.1


class DoubleChain:
    """The in-memory double."""

    kind = "memory"

    def __init__(self) -> None:
        self.chain: MemoryChain | None = None

    def found(self, name: str, member: Organisation) -> Founded:
        account = PublicKey.from_secret(member.key).format(compressed=False)[1:]
        x, y = member.sm2.public[:32], member.sm2.public[32:]
        first = (member.id, crypto.sm3(member.code.encode()), member.roles, x, y, "0x" + keccak(account)[12:].hex())
        chain = self.chain = MemoryChain(name, first)
        return Founded(lambda key: MemoryLedger(chain, key))

    def open(self, key: bytes | None) -> Ledger:
        assert self.chain is not None
        return MemoryLedger(self.chain, key)

    def close(self) -> None:
        self.chain = None


class EvmChain:
    """A node of our own, with one alliance after the other deployed to it."""

    kind = "evm"

    def __init__(self, home: Path | None = None, block_seconds: float = BLOCK_SECONDS, limits: Limits | None = None) -> None:
        build()
        self._temporary = tempfile.TemporaryDirectory(prefix="chain-") if home is None else None
        self.home = Path(self._temporary.name) if self._temporary else home
        assert self.home is not None
        self.node = Node(self.home / "node", 0, block_seconds=block_seconds).start()
        self.limits = limits or Limits()
        self.founded = 0

    @property
    def url(self) -> str:
        return self.node.url

    @property
    def contracts_file(self) -> Path:
        """contracts.json of the alliance founded last."""
        assert self.home is not None
        return self.home / f"alliance-{self.founded}" / "contracts.json"

    def found(self, name: str, member: Organisation) -> Founded:
        self.founded += 1
        x, y = member.sm2.public[:32], member.sm2.public[32:]
        written = self.contracts_file
        deploy(self.url, member.key, name, Member(member.id, member.code, x, y, member.roles, member.sign), written)
        return Founded(lambda key: self._open(written, key), written)

    def open(self, key: bytes | None) -> Ledger:
        return self._open(self.contracts_file, key)

    def _open(self, written: Path, key: bytes | None) -> Ledger:
        return EvmLedger(connect(self.url, Deployment.read(written), key, self.limits))

    def crash(self) -> None:
        """kill -9. A state file torn by it is replaced at the next start by a whole one of the last moment, which production
        keeps too (``network.evm.node.keep_copies``)."""
        until(lambda: keep_copy(self.node.home))
        self.node.kill()

    def close(self) -> None:
        self.node.stop()
        if self._temporary:
            self._temporary.cleanup()


class FabricChain:
    """A Fabric network of three organisations, with one alliance after the other under a chaincode name of its own. Accounts
    belong to the network's organisations in turn, in the order in which they are first opened."""

    kind = "fabric"

    def __init__(self, home: Path | None = None, limits: fabric.Limits | None = None) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="fabric-") if home is None else None
        self.home = Path(self._temporary.name) if self._temporary else home
        assert self.home is not None
        self.network = FabricNetwork(self.home)
        try:
            self.network.start()
        except BaseException:
            self.network.stop()
            raise
        self.limits = limits or fabric.Limits(timeout=60.0)
        self.profile = Profile.read(self.network.profile)
        self.deployment: fabric.Deployment | None = None
        self._founded = itertools.count(1)
        self._identities: dict[bytes | None, Identity] = {}

    def found(self, name: str, member: Organisation) -> Founded:
        chaincode = f"alliance{next(self._founded)}"
        self.network.commit_chaincode(chaincode)
        gateway = self.gateway(self.identity(member.key))
        try:
            made = self.deployment = found(
                gateway, chaincode, name, Founder(member.id, member.code, member.sm2.public, member.roles)
            )
        finally:
            gateway.close()
        return Founded(lambda key: self._open(made, key))

    def open(self, key: bytes | None) -> Ledger:
        assert self.deployment is not None
        return self._open(self.deployment, key)

    def _open(self, deployment: fabric.Deployment, key: bytes | None) -> Ledger:
        identity = self.identity(key)
        return FabricLedger(fabric.connect(self.profile, deployment, identity, self.limits, writes=key is not None))

    def gateway(self, identity: Identity) -> Gateway:
        """The bare client, at the identity's own peers."""
        return Gateway(identity, self.profile.channel, self.profile.own(identity.msp), self.limits.timeout)

    def identity(self, key: bytes | None) -> Identity:
        """The account of a key, with a certificate of one of the organisations; None = somebody who reads."""
        if key not in self._identities:
            msps = list(self.profile.peers)
            msp, signer = msps[len(self._identities) % len(msps)], LocalSigner.from_secret(key or b"a reader's key")
            name = f"account{len(self._identities)}"
            self._identities[key] = Identity(msp, self.network.issue(msp, name, signer.key.public_key()), signer)
        return self._identities[key]

    def close(self) -> None:
        self.network.stop()
        if self._temporary:
            self._temporary.cleanup()
