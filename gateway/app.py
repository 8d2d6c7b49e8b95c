"""The gateway's application: settings → database → ledger → services → routes. Wiring only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from sqlalchemy.orm import sessionmaker

from gateway import apidocs, database, logs, problem
from gateway.access.endpoints import routes as access
from gateway.alliance.endpoints import organisation_routes
from gateway.alliance.endpoints import routes as alliance
from gateway.alliance.members import Members
from gateway.audit.endpoints import routes as audit
from gateway.chain.endpoints import routes as chain
from gateway.consent.endpoints import routes as consents
from gateway.deps import Gateway
from gateway.evidence.endpoints import routes as evidence
from gateway.http import BodyLimit, Observe
from gateway.identity.endpoints import credential_routes
from gateway.identity.endpoints import routes as identities
from gateway.identity.registrar import KeyringRegistrar
from gateway.identity.registry import Registries
from gateway.index.endpoints import routes as index
from gateway.keyring import load_or_create
from gateway.ledger.db import open_engine
from gateway.ledger.factory import open_ledger
from gateway.ledger.port import Ledger
from gateway.notice.endpoints import routes as notices
from gateway.operation.endpoints import routes as operations
from gateway.receipt.endpoints import routes as receipts
from gateway.schema.endpoints import routes as schemas
from gateway.session.endpoints import routes as sessions
from gateway.settings import Settings
from gateway.trust import Trust

PREFIX = "/api/v1"
LARGE_BODIES = ("/index/batches", "/receipts", "/identities/directory")
ROUTERS = (
    chain,
    sessions,
    identities,
    credential_routes,
    alliance,
    organisation_routes,
    schemas,
    index,
    consents,
    access,
    receipts,
    evidence,
    audit,
    operations,
    notices,
)
SECURITY = {
    "session": {"type": "http", "scheme": "bearer", "description": "Token of POST /sessions"},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Signature-Input",
        "description": "RFC 9421, alg sm2-sm3 (docs/formats.md §8)",
    },
}


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
    if kick is None:
        from gateway.worker import kick_worker

        kick = kick_worker(settings)
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
        kick=kick,
    )


def create_app(settings: Settings, ledger: Ledger | None = None, kick: Callable[[], None] | None = None) -> FastAPI:
    """The REST application, to be served as it is or with further routers mounted beside it."""
    logs.configure(settings.log_level)
    gateway = build_gateway(settings, ledger, kick)
    app = FastAPI(
        title="healthtrust gateway",
        version="1",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: f"{route.tags[0]}_{route.name}" if route.tags else route.name,
    )
    app.state.gateway = gateway
    problem.install(app)
    for routes in ROUTERS:
        app.include_router(routes, prefix=PREFIX)
    app.add_middleware(BodyLimit, large=settings.gateway.max_request_bytes, large_paths=LARGE_BODIES)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.web_origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=["Location", "Retry-After", "X-Request-ID", "Idempotent-Replayed"],
    )
    app.add_middleware(Observe, gateway=gateway)
    _describe_security(app)
    apidocs.serve(app, f"{PREFIX}/docs")
    return app


def _describe_security(app: FastAPI) -> None:
    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        document.setdefault("components", {})["securitySchemes"] = SECURITY
        return document

    app.openapi = openapi  # type: ignore[method-assign]
