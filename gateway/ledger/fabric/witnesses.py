"""Other organisations' peers, asked only how high they are.

A Fabric channel makes no blocks while nobody writes, so an old head does not show that a peer lags; that others have more does.
Asked once a second and never waited for, so that a peer that hangs delays nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from gateway.ledger.fabric.gateway import Gateway

ASK_SECONDS = 1.0


@dataclass
class Witnesses:
    """``question``: the proposal a gateway asks for its height; ``read``: the height in its answer."""

    gateways: Sequence[Gateway]
    question: Callable[[Gateway], Any]
    read: Callable[[bytes], int]
    clock: Callable[[], float] = time.monotonic
    height: int = -1
    _asked: float = float("-inf")
    _waiting: list[Any] = field(default_factory=list)
    _answered: float = field(init=False)
    _lacked: int = -1
    _since: float = 0.0

    def __post_init__(self) -> None:
        self._answered = self.clock()

    def ask(self) -> None:
        """Take in the answers that are there, and ask again when it is time."""
        now = self.clock()
        waiting, self._waiting = self._waiting, []
        for answer in waiting:
            if not answer.done():
                self._waiting.append(answer)
            elif answer.exception() is None:
                self.height = max(self.height, self.read(bytes(answer.result().result.payload)))
                self._answered = now
        if self.gateways and now - self._asked >= ASK_SECONDS:
            self._asked = now
            for gateway in self.gateways:
                self._send(gateway)

    def lacking(self, height: int) -> float:
        """For how many seconds a witness has been seen to have a block that we, at ``height``, still lack; 0 when none has."""
        now = self.clock()
        if height >= self._lacked:
            self._lacked, self._since = self.height, now
        return now - self._since if height < self._lacked else 0.0

    def silent(self) -> float:
        """For how many seconds no witness has answered; 0 when there are none to ask."""
        return self.clock() - self._answered if self.gateways else 0.0

    def close(self) -> None:
        """Drop the connections."""
        for gateway in self.gateways:
            gateway.close()

    def _send(self, gateway: Gateway) -> None:
        try:
            self._waiting.append(gateway.evaluate_later(self.question(gateway)))
        except (grpc.RpcError, ValueError):  # ValueError: the channel was closed beside us
            return
