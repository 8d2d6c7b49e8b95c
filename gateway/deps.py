"""What a request works with: the process's one :class:`Gateway`, and its own :class:`Context`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from core import crypto
from gateway.alliance.members import Members
from gateway.identity.caller import Caller
from gateway.identity.registrar import RegistrarSigner
from gateway.identity.registry import Glance, Register, Registries
from gateway.keyring import Keyring
from gateway.ledger.port import Block, Call, Ledger
from gateway.metrics import Metrics
from gateway.rates import Rates
from gateway.settings import Settings
from gateway.trust import Trust


@dataclass
class Gateway:
    """Everything one process holds. ``kick`` wakes the worker after a write was stored; it may do nothing (the sweep finds
    it)."""

    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    ledger: Ledger
    registries: Registries
    members: Members
    trust: Trust
    registrar: RegistrarSigner
    keyring: Keyring
    kick: Callable[[], None]
    metrics: Metrics = field(default_factory=Metrics)
    rates: Rates = field(default_factory=Rates)
    domains: dict[str, bytes] = field(default_factory=dict)
    started: float = field(default_factory=time.time)

    def secret_digest(self, kind: str, *parts: bytes) -> bytes:
        """HMAC-SM3 under the gateway's own key: digests of things too easy to guess for a plain hash. 32 bytes."""
        return crypto.hmac_sm3(bytes.fromhex(self.keyring.ids), b"\0".join((kind.encode(), *parts)))

    def domain(self, contract: str) -> bytes:
        """Signature domain of a contract (docs/formats.md §4), as the contract itself says; it never changes."""
        if contract not in self.domains:
            self.domains[contract] = self.ledger.read(Call(contract, "domain"))
        return self.domains[contract]


@dataclass
class Context:
    """One request: its caller, its transaction, and what it stored for the ledger. Services take it first."""

    gateway: Gateway
    db: Session
    caller: Caller
    glance: Glance
    request_id: str
    now: int
    key: str = ""
    address: str = ""
    wrote: bool = False
    location: str | None = None

    @property
    def ledger(self) -> Ledger:
        """Our own node."""
        return self.gateway.ledger

    @property
    def registries(self) -> Register:
        """Keys and credentials at the head this request saw first."""
        return self.glance.register

    @property
    def head(self) -> Block:
        """The head this request saw first: no older than the request."""
        return self.glance.register.head

    @property
    def settings(self) -> Settings:
        """Settings of this process."""
        return self.gateway.settings

    def read(self, contract: str, method: str, **args: Any) -> Any:
        """Ask a contract at the head."""
        return self.ledger.read(Call(contract, method, args))


async def context(request: Request) -> Context:  # async: FastAPI would change threads for it
    """The context the edge made for this request (:class:`gateway.http.EdgeRoute`)."""
    return cast(Context, request.state.context)


Ctx = Annotated[Context, Depends(context)]
