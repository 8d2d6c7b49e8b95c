"""``python -m healthtrust.serve gateway | gate CODE``: the servers, with siblings that may not import each other put together.

The gateway's process also serves the mirror's query API and the built pages.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from granian import Granian
from granian.constants import Interfaces
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from gateway import logs
from gateway.identity.caller import ADMINISTRATOR, ROLE_AUDITOR
from gateway.settings import load
from healthtrust.platform import PAGES

PAGES_ROOT = Path(__file__).parents[1] / "apps" / "web"
BACKLOG = 2048
SECURITY_HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "geolocation=(), microphone=()",
}


class Pages(StaticFiles):
    """Built pages: assets named by their hash are kept for ever, the page itself is asked for each time; never in a frame."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """The file with its headers."""
        response = super().file_response(*args, **kwargs)
        hashed = "/assets/" in str(args[0])
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
        response.headers.update(SECURITY_HEADERS)
        return response


def gateway() -> FastAPI:
    """REST, mirror API and pages in one application."""
    from gateway.app import PREFIX, create_app
    from mirror.router import router

    settings = load()
    app = create_app(settings)
    app.include_router(router(settings, auditors_only, app.state.gateway.ledger), prefix=PREFIX)
    for page in PAGES:
        built = PAGES_ROOT / page / "dist"
        if built.is_dir():
            app.mount(f"/{page}", Pages(directory=built, html=True), name=page)

    @app.get("/", include_in_schema=False)
    def start() -> RedirectResponse:
        return RedirectResponse("/resident/")

    return app


def auditors_only(request: Request) -> None:
    """For the mirror's routes: passes auditors and administrators. Raises Unauthenticated, Forbidden."""
    from gateway.http import admit, only

    admit(request.app.state.gateway, only(ROLE_AUDITOR, ADMINISTRATOR), request, b"")


def gate() -> FastAPI:
    """The release gate named by ``HEALTHTRUST_GATE``."""
    from offchain.gate.app import create_app

    return create_app(load(), os.environ["HEALTHTRUST_GATE"])


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM. What the server writes is its owner's alone."""
    os.umask(0o077)
    settings = load()
    logs.configure(settings.log_level)
    if arguments[:1] == ["gate"]:
        os.environ["HEALTHTRUST_GATE"] = arguments[1]
        own = settings.gate(arguments[1])
        target, host, port, workers = "healthtrust.serve:gate", own.host, own.port, own.workers
    else:
        target, host, port, workers = (
            "healthtrust.serve:gateway",
            settings.gateway.host,
            settings.gateway.port,
            settings.gateway.workers,
        )
    Granian(
        target,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=workers,
        backlog=BACKLOG,
        log_access=False,
        log_dictconfig=logs.SERVER,
        websockets=False,
    ).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
