"""The gateway's application: what a process holds, and the routes over it. Wiring only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from gateway import apidocs, logs, problem
from gateway.access.endpoints import routes as access
from gateway.alliance.endpoints import organisation_routes
from gateway.alliance.endpoints import routes as alliance
from gateway.assembly import build_gateway
from gateway.audit.endpoints import routes as audit
from gateway.chain.endpoints import routes as chain
from gateway.consent.endpoints import routes as consents
from gateway.emergency.endpoints import routes as emergencies
from gateway.evidence.endpoints import routes as evidence
from gateway.http import BodyLimit, Observe
from gateway.identity.endpoints import credential_routes
from gateway.identity.endpoints import routes as identities
from gateway.index.endpoints import routes as index
from gateway.ledger.port import Ledger
from gateway.notice.endpoints import routes as notices
from gateway.operation.endpoints import routes as operations
from gateway.receipt.endpoints import routes as receipts
from gateway.schema.endpoints import routes as schemas
from gateway.session.endpoints import routes as sessions
from gateway.settings import Settings

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
    emergencies,
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
        redirect_slashes=False,  # the redirect would name whatever host the request does
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
