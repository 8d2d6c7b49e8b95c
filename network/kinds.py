"""What a network of real ledger nodes can do, whatever its kind; the command line and the tests know no more than this."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TypedDict, runtime_checkable


class PartStatus(TypedDict):
    """One process of a network. ``height``: the number of its newest block; None when it keeps no chain or does not answer."""

    name: str
    role: str
    pid: int | None
    address: str
    height: int | None


class NetworkStatus(TypedDict):
    """A whole network. ``ready``: it takes transactions now, and every part runs."""

    kind: str
    consensus: str
    ready: bool
    parts: list[PartStatus]


class Network(Protocol):
    """A network of several parties under one home directory.

    The home holds everything: ``start`` on it again goes on with the same chain, also after a power cut. Parts are named as in
    ``status``. Any process that has the home may stop, kill, heal or ask, not only the one that started it.
    """

    home: Path

    def start(self) -> None:
        """Make the network if the home is new, start every part and wait until it takes transactions."""

    def stop(self) -> None:
        """End every part in order; what it acknowledged is on disk."""

    def kill(self, *parts: str) -> None:
        """SIGKILL parts at once: what a power cut does to them. ``leader`` stands for whichever part leads now."""

    def heal(self) -> None:
        """Start every part that does not run, and wait until the network is whole and in step."""

    def status(self) -> NetworkStatus:
        """What runs, and how far it is."""


@runtime_checkable
class MemberNetwork(Network, Protocol):
    """A network whose members can be changed while it runs."""

    def add_organisation(self, name: str) -> None:
        """Let one more organisation in: its node joins, catches up and counts."""

    def remove_organisation(self, name: str) -> None:
        """Put an organisation out: what it signs from now on counts no more."""
