"""A gateway with an alliance behind it, and clients for everybody who may call."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.testclient import TestClient

from core import crypto, merkle
from core.entry import IndexEntry
from core.hexes import to_hex
from core.ids import schema_id
from core.vocabulary import category_number
from gateway.app import create_app
from gateway.client import GatewayClient, Key
from gateway.deps import Gateway
from gateway.keyring import load_or_create
from gateway.ledger.membership import set_account
from gateway.ledger.port import Ledger
from gateway.settings import Settings
from gateway.worker import sweep
from tests.support.chains import DoubleChain, EvmChain
from tests.support.world import Organisation, Practitioner, Resident, World, build_world

URL = "http://gateway.test"


@dataclass
class House:
    """``world``: the alliance; ``app``: the gateway; clients are made by ``as_…``."""

    world: World
    app: FastAPI
    home: Path
    clients: list[GatewayClient] = field(default_factory=list)
    schema: dict[str, Any] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)
    worker: threading.Thread | None = None

    @property
    def gateway(self) -> Gateway:
        gateway: Gateway = self.app.state.gateway
        return gateway

    def open(self) -> GatewayClient:
        client = GatewayClient(URL, http=self.http(), language="en")
        self.clients.append(client)
        return client

    def http(self) -> httpx.Client:
        return TestClient(self.app, base_url=URL, raise_server_exceptions=True)

    def as_resident(self, resident: Resident) -> GatewayClient:
        client = self.open()
        client.log_in(Key.of("subject", resident.subject, resident.keys.private))
        return client

    def as_practitioner(self, person: Practitioner) -> GatewayClient:
        client = self.open()
        client.log_in(Key.of("practitioner", person.id, person.keys.private))
        return client

    def as_organisation(self, member: Organisation) -> GatewayClient:
        return self.open().sign_as(Key.of("organisation", member.id, member.sm2.private))

    def start_worker(self) -> None:
        """What the Celery worker does, in a thread: on a real node a write is final only a block later."""

        def work() -> None:
            while not self.stopped.wait(0.05):
                sweep(self.gateway)

        self.worker = threading.Thread(target=work, daemon=True)
        self.worker.start()

    def close(self) -> None:
        self.stopped.set()
        if self.worker:
            self.worker.join()
        for client in self.clients:
            client.close()
        self.gateway.ledger.close()
        self.gateway.engine.dispose()
        self.world.close()

    # records

    def entries(self, custodian: Organisation, resident: Resident, categories: list[str], first: int = 0) -> list[bytes]:
        """Index entries of fresh records, one a category, in order of time."""
        schema = schema_id(self.schema)
        return [
            IndexEntry(
                custodian.id,
                secrets.token_bytes(32),
                resident.subject,
                secrets.token_bytes(32),
                schema,
                sequence=first + i,
                category=category_number(category),
                recorded_at=1_700_000_000 + i,
                indexed_at=1_700_000_100,
            ).pack()
            for i, category in enumerate(categories)
        ]

    def index(self, custodian: Organisation, leaves: list[bytes], batch: int = 0, first: int = 0) -> None:
        """Anchor these entries and hand them in."""
        root = merkle.root(merkle.leaf_hashes(leaves))
        outcome = self.world.anchor(custodian, root, len(leaves))
        client = self.as_organisation(custodian)
        document = {"organisation": to_hex(custodian.id), "batch": batch, "root": to_hex(root), "firstSequence": first}
        document |= {"count": len(leaves), "transaction": outcome.id, "entries": base64.b64encode(b"".join(leaves)).decode()}
        client.post_batch(document)


def build_house(chain: DoubleChain | EvmChain, home: Path, *, database: str = "", worker: bool = True) -> House:
    """A gateway that relays with the operator's account; the operator is the registrar."""
    world = build_world(chain)
    home.mkdir(parents=True, exist_ok=True)
    _write_registrar(home, world.operator)
    settings = Settings(home=home)
    settings.gateway.public_url, settings.gateway.database = URL, database
    settings.gateway.requests_per_minute = 100_000
    settings.gateway.open_requests_per_minute = 100_000
    app = create_app(settings, _relayer(world, home), kick=lambda: sweep(app.state.gateway))
    schema = {
        "kind": "healthtrust/document-type",
        "code": "TEST",
        "elements": [{"n": n, "name": {"zh": "项", "en": "item"}} for n in (1, 2, 3, 4)],
    }
    house = House(world, app, home, schema=schema)
    if chain.kind == "evm" and worker:
        house.start_worker()
    house.as_organisation(world.hospital).register_schema(schema)
    return house


def _relayer(world: World, home: Path) -> Ledger:
    """The gateway's own ledger account, allowed by the operator."""
    ledger = world.open(bytes.fromhex(load_or_create(home / "gateway" / "keys.json", "gateway").evm))
    operator = world.operator
    world.send((operator, set_account(operator.ledger, operator.id, operator.sm2.private, ledger.info().account, True)))
    return ledger


def _write_registrar(home: Path, member: Organisation) -> None:
    ring = {
        "kind": "healthtrust/keyring",
        "version": 1,
        "name": "registrar",
        "evm": member.key.hex(),
        "sm2": member.sm2.private.hex(),
        "wrap": secrets.token_hex(16),
        "ids": crypto.sm3(b"test ids").hex(),
    }
    path = home / "registrar" / "keys.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(ring), "utf-8")
    path.chmod(0o600)
