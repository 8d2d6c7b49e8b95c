"""What a network consists of, and where: names, MSP ids, folders and ports, all derived from ``<home>/network.json``."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from network.processes import NetworkError

Consensus = Literal["raft", "bft"]

HOST = "127.0.0.1"
ORDERERS: dict[Consensus, int] = {"raft": 3, "bft": 4}
_ORDERER_PORTS = 3
_ORGANISATION_PORTS = 4
_MOST_ORGANISATIONS = 20


@dataclass(frozen=True)
class Orderer:
    """An ordering node; it is an organisation of its own, so that no party alone decides the order."""

    name: str
    msp: str
    folder: Path
    port: int

    @property
    def address(self) -> str:
        """Where clients and peers reach it."""
        return f"{HOST}:{self.port}"

    @property
    def admin_port(self) -> int:
        """Where channels are joined and asked about (needs its own TLS certificate)."""
        return self.port + 1

    @property
    def operations_port(self) -> int:
        """Health and metrics."""
        return self.port + 2

    @property
    def node(self) -> Path:
        """The folder of the node itself, with ``msp`` and ``tls``."""
        return self.folder / "node"


@dataclass(frozen=True)
class Organisation:
    """A member: its peer, and its own server of the chaincode."""

    name: str
    msp: str
    folder: Path
    port: int

    @property
    def peer(self) -> str:
        """The peer's part name."""
        return f"{self.name}.peer"

    @property
    def chaincode(self) -> str:
        """The chaincode server's part name."""
        return f"{self.name}.chaincode"

    @property
    def address(self) -> str:
        """Where clients and other peers reach its peer."""
        return f"{HOST}:{self.port}"

    @property
    def chaincode_listen(self) -> str:
        """Where the peer would wait for chaincode that it started itself (it never does; Fabric wants the port)."""
        return f"{HOST}:{self.port + 1}"

    @property
    def operations_port(self) -> int:
        """Health and metrics of its peer."""
        return self.port + 2

    @property
    def chaincode_address(self) -> str:
        """Where its chaincode server waits for its peer."""
        return f"{HOST}:{self.port + 3}"

    @property
    def admin(self) -> Path:
        """The folder of its administrator."""
        return self.folder / "admin"


@dataclass(frozen=True)
class Layout:
    """A network as ``network.json`` has it. ``slots``: every organisation there ever was → its place among the ports; ``gone``:
    those that were put out, which may come back as who they were."""

    home: Path
    channel: str
    consensus: Consensus
    first_port: int
    slots: dict[str, int]
    gone: tuple[str, ...] = ()

    @property
    def orderers(self) -> list[Orderer]:
        """The ordering nodes, ``orderer1`` first."""
        return [self._orderer(number) for number in range(ORDERERS[self.consensus])]

    @property
    def organisations(self) -> list[Organisation]:
        """The members."""
        return [self._organisation(name) for name in self.slots if name not in self.gone]

    def organisation(self, name: str) -> Organisation:
        """A member by name. Raises NetworkError naming those there are."""
        members = {organisation.name: organisation for organisation in self.organisations}
        if name not in members:
            raise NetworkError(f"no organisation {name} here; there are {', '.join(members)}")
        return members[name]

    def with_organisation(self, name: str) -> Layout:
        """The same with one more member, or one that comes back. Raises NetworkError when the name cannot be taken or there are
        too many."""
        if name in self.gone:
            return replace(self, gone=tuple(other for other in self.gone if other != name))
        if not (name.isascii() and name.isalnum() and name[0].isalpha() and name == name.lower()) or name.startswith("orderer"):
            raise NetworkError(f"{name} cannot name an organisation: small letters and digits, a letter first, not orderer…")
        if name in self.slots:
            raise NetworkError(f"there is an organisation {name} already")
        if len(self.slots) == _MOST_ORGANISATIONS:
            raise NetworkError(f"a network on one machine has had at most {_MOST_ORGANISATIONS} organisations")
        return replace(self, slots={**self.slots, name: len(self.slots)})

    def without_organisation(self, name: str) -> Layout:
        """The same without a member."""
        return replace(self, gone=(*self.gone, name))

    def save(self) -> None:
        """Write ``network.json``, whole or not at all."""
        content = {k: v for k, v in asdict(self).items() if k != "home"}
        write_whole(self.home / "network.json", json.dumps({"kind": "fabric", **content}, indent=1).encode())

    def _orderer(self, number: int) -> Orderer:
        name = f"orderer{number + 1}"
        folder = self.home / "orderers" / name
        return Orderer(name, f"Orderer{number + 1}MSP", folder, self.first_port + number * _ORDERER_PORTS)

    def _organisation(self, name: str) -> Organisation:
        first = self.first_port + max(ORDERERS.values()) * _ORDERER_PORTS
        folder = self.home / "organisations" / name
        return Organisation(name, f"{name.capitalize()}MSP", folder, first + self.slots[name] * _ORGANISATION_PORTS)


def load(home: Path) -> Layout | None:
    """The layout under a home; None when there is no network there. Raises NetworkError when another kind is."""
    path = home / "network.json"
    if not path.exists():
        return None
    content = json.loads(path.read_bytes())
    if content.pop("kind", "") != "fabric":
        raise NetworkError(f"{home} holds a network of another kind")
    return Layout(home=home, **{**content, "gone": tuple(content["gone"])})


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place at once, durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as f:
        f.write(content)
        f.flush()
        os.fsync(f.fileno())
    partial.replace(path)
