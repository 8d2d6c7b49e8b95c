"""The interface description for people: Swagger UI, from files that come with the package, so that it works without a network
and no other server learns who reads it."""

from __future__ import annotations

from pathlib import Path

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

ASSETS = Path(fastapi_offline.__file__).with_name("static")


def serve(app: FastAPI, path: str) -> None:
    """Serve the page at ``path`` and its files below."""
    app.mount(f"{path}/assets", StaticFiles(directory=ASSETS), name="docs-assets")

    @app.get(path, include_in_schema=False)
    def page() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=str(app.openapi_url),
            title=app.title,
            swagger_js_url=f"{path}/assets/swagger-ui-bundle.js",
            swagger_css_url=f"{path}/assets/swagger-ui.css",
            swagger_favicon_url=f"{path}/assets/favicon.png",
            # Else it would show the document to a validator on the internet.
            swagger_ui_parameters={"validatorUrl": None},
        )
