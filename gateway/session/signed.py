"""Signed requests (docs/formats.md §8) at the gateway: the key from the ledger, the nonce remembered in the database for good."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fastapi import Request

from core import crypto, httpsig
from gateway import database
from gateway.identity.caller import Caller, identify
from gateway.session.repository import remember_nonce

if TYPE_CHECKING:
    from gateway.deps import Gateway
    from gateway.identity.registry import Glance

SIGNATURE_HEADER = "signature-input"


class DurableNonces:
    """Nonce memory in the gateway's database: a restart forgets nothing (the restore of a backup does),
    and all server processes share it."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.started = gateway.settings.forgotten_before()

    def first_use(self, keyid: str, nonce: str, expires: int) -> bool:
        """Remember the nonce; False if it was used before."""
        skew = self._gateway.settings.policy.clock_skew_seconds
        with database.writer(self._gateway.engine) as db:
            return remember_nonce(db, crypto.sm3(f"{keyid}\0{nonce}".encode()), expires + skew)


def verify_signed(gateway: Gateway, request: Request, body: bytes, glance: Glance) -> Caller:
    """The caller whose key on the ledger signed this request. Raises SignatureInvalid."""
    now = int(time.time())
    found: list[Caller] = []

    def key_of(party: str, identifier: bytes) -> bytes | None:
        caller = identify(glance.register, httpsig.key_id(party, identifier), now)
        if caller is None:
            return None
        found.append(caller)
        return caller.public

    policy = gateway.settings.policy
    httpsig.parse_and_verify(
        request.headers,
        request.method,
        target_of(gateway, request),
        body,
        key_of,
        now,
        DurableNonces(gateway),
        max_life=policy.signature_max_age_seconds,
        max_skew=policy.clock_skew_seconds,
    )
    return found[0]


def target_of(gateway: Gateway, request: Request) -> str:
    """The URL the client used: our public URL, path and query as sent."""
    path: str = request.scope.get("raw_path", request.url.path.encode()).decode("ascii", "replace")
    query: str = request.scope["query_string"].decode("ascii", "replace")
    return gateway.settings.gateway.public_url.rstrip("/") + path + (f"?{query}" if query else "")
