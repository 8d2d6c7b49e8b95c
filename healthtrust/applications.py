"""The applications the servers run: siblings that may not import each other, put together.

The gateway's application also serves the mirror's query API and the built pages.
"""

from __future__ import annotations

import os
from pathlib import Path

import structlog
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import PathLike, StaticFiles
from starlette.types import Scope

from core import crypto
from gateway.identity.caller import ADMINISTRATOR, ORGANISATION, ROLE_AUDITOR
from gateway.settings import Settings, load
from healthtrust.platform import PAGES
from mirror.sight import EVERYTHING, Sight

log = structlog.get_logger("serve")
PAGES_ROOT = Path(__file__).parents[1] / "apps" / "web"
SECURITY_HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "geolocation=(), microphone=()",
}


class Pages(StaticFiles):
    """Built pages: assets named by their hash are kept for ever, the page itself is asked for each time; never in a frame.

    Only these are sent compressed, in the form the build left beside them: an answer of the API that carries a secret next to
    something a stranger can choose must not show by its length how alike the two are (BREACH).
    """

    def file_response(self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200) -> Response:
        """The file, or its gzip form for a browser that takes it, with its headers."""
        packed = Path(f"{full_path}.gz")
        smaller = "gzip" in Headers(scope=scope).get("accept-encoding", "") and packed.is_file()
        sent = (packed, packed.stat()) if smaller else (full_path, stat_result)
        response = super().file_response(*sent, scope, status_code)
        hashed = "/assets/" in str(full_path)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
        response.headers["Vary"] = "Accept-Encoding"
        response.headers.update(SECURITY_HEADERS | ({"Content-Encoding": "gzip"} if smaller else {}))
        return response


def gateway() -> FastAPI:
    """REST, mirror API and pages in one application."""
    from gateway.app import create_app

    settings = load()
    app = create_app(settings)
    _say_engine()
    mirrored(app, settings)
    for page in PAGES:
        built = PAGES_ROOT / page / "dist"
        if built.is_dir():
            app.mount(f"/{page}", Pages(directory=built, html=True), name=page)

    @app.get("/", include_in_schema=False)
    def start() -> RedirectResponse:
        return RedirectResponse("/resident/")

    return app


def mirrored(app: FastAPI, settings: Settings) -> None:
    """Put the routes over the mirror beside the gateway's."""
    from gateway.app import PREFIX
    from healthtrust import asof
    from mirror.router import open_live, router

    live = open_live(settings)
    app.include_router(router(live, auditors_only, sight_of, app.state.gateway.ledger), prefix=PREFIX)
    app.include_router(asof.routes(live), prefix=PREFIX)


def auditors_only(request: Request) -> None:
    """For the mirror's routes: passes auditors and administrators. Raises Unauthenticated, Forbidden."""
    from gateway.http import admit, only
    from gateway.identity.registry import Glance

    gateway = request.app.state.gateway
    admit(gateway, only(ROLE_AUDITOR, ADMINISTRATOR), request, b"", Glance(gateway.registries))


def sight_of(request: Request) -> Sight:
    """What the caller sees of the mirror's tables: auditors and administrators all, an organisation's machine its own and what
    is common. Raises Unauthenticated, Forbidden."""
    from gateway.http import admit, only
    from gateway.identity.registry import Glance

    gateway = request.app.state.gateway
    rule = only(ROLE_AUDITOR, ADMINISTRATOR, ORGANISATION)
    caller = admit(gateway, rule, request, b"", Glance(gateway.registries))
    return EVERYTHING if caller.roles & {ROLE_AUDITOR, ADMINISTRATOR} else Sight(caller.word)


def gate() -> Starlette:
    """The release gate named by ``HEALTHTRUST_GATE``."""
    from offchain.gate.app import create_app

    app = create_app(load(), os.environ["HEALTHTRUST_GATE"])
    _say_engine()
    return app


def _say_engine() -> None:
    """Log what does the cryptography of this worker: also loads it, before the first request."""
    log.info("crypto engine", engine=crypto.engine().name)
