"""What every act of the demo shares: the stage, the people's clients, and checks that stop the story."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import HealthTrustError
from core.hexes import to_bytes
from gateway.client import WAIT_SECONDS, GatewayClient, Key
from gateway.settings import Settings
from healthtrust.custody import Custody
from healthtrust.demo.cast import Wallet
from healthtrust.platform import Platform
from offchain.client import GateClient, practitioner

DAY = 86_400
OPENED = {
    "vital-sign": ("code", "name", "value", "unit", "time"),
    "laboratory-result": ("code", "name", "value", "unit", "time", "low", "high"),
}
"""Single elements the resident opens of these document types; medication is opened whole."""
ASKED = ("laboratory", "vital-signs", "medication")
Say = Callable[[str], None]


class StoryFailed(HealthTrustError):
    """A step did not turn out as promised."""

    default_code = "story_failed"
    default_zh = "演示未通过：{detail}"
    default_en = "the demo did not hold: {detail}"


@dataclass
class Stage:
    """Where the acts play: the running platform, both custodians, and the key files."""

    settings: Settings
    platform: Platform
    stack: ExitStack
    wallet: Wallet
    folders: dict[str, Path]
    custodies: list[Custody] = field(default_factory=list)

    def client(self) -> GatewayClient:
        """A new caller of the gateway."""
        return self.stack.enter_context(GatewayClient(self.settings.gateway.public_url))

    def gates(self, key: Key) -> list[GateClient]:
        """Every gate, asked by this practitioner."""
        signer = practitioner(to_bytes(key.id), key.private)
        return [self.stack.enter_context(GateClient(g.public_url, signer)) for g in self.settings.gates]


def until(ask: Callable[[], Any], what: str) -> Any:
    """Ask until the answer is true, and give it back. Raises StoryFailed after a while."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if found := ask():
            return found
        time.sleep(0.3)
    raise StoryFailed(detail=f"{what}: not within {WAIT_SECONDS:.0f} s")


def must(held: bool, what: str) -> None:
    """StoryFailed unless it holds."""
    if not held:
        raise StoryFailed(detail=what)
