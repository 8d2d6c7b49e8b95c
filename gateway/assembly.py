"""What one process of the gateway holds, put together: settings → database → ledger → services. Wiring only."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import sessionmaker

from gateway import database
from gateway.alliance.members import Members
from gateway.broker import kick_worker
from gateway.deps import Gateway
from gateway.identity.registrar import KeyringRegistrar
from gateway.identity.registry import Registries
from gateway.keyring import load_or_create
from gateway.ledger.db import open_engine
from gateway.ledger.factory import open_ledger
from gateway.ledger.port import Ledger
from gateway.settings import Settings
from gateway.trust import Trust


def build_gateway(settings: Settings, ledger: Ledger | None = None, kick: Callable[[], None] | None = None) -> Gateway:
    """Everything one process holds; migrates the database. ``ledger``: an open one (tests, double), else what the settings name.

    ``kick`` wakes the worker after a write; by default a message to it through the broker.
    """
    url = settings.gateway_database()
    database.migrate(url)
    ring = load_or_create(settings.path("gateway", "keys.json"), "gateway")
    opened = ledger or open_ledger(settings, bytes.fromhex(ring.evm))
    registries = Registries(opened)
    members = Members(opened, registries)
    registrar = KeyringRegistrar(load_or_create(settings.path("registrar", "keys.json"), "registrar"), members.with_key)
    engine = open_engine(url)
    transactions = sessionmaker(engine, expire_on_commit=False)
    return Gateway(
        settings=settings,
        engine=engine,
        sessions=transactions,
        trust=Trust(transactions, opened),
        ledger=opened,
        registries=registries,
        members=members,
        registrar=registrar,
        keyring=ring,
        kick=kick or kick_worker(settings),
    )
