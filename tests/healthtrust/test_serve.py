"""Built pages are served with headers that keep them out of frames and caches honest."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from healthtrust.applications import Pages


def test_pages_and_assets_have_their_headers(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<title>x</title>")
    (tmp_path / "assets" / "app-1a2b.js").write_text("0")
    client = TestClient(Starlette(routes=[Mount("/resident", Pages(directory=tmp_path, html=True))]))
    page, asset = client.get("/resident/"), client.get("/resident/assets/app-1a2b.js")
    assert page.headers["cache-control"] == "no-cache"
    assert "immutable" in asset.headers["cache-control"]
    assert page.headers["x-frame-options"] == asset.headers["x-frame-options"] == "DENY"
    assert client.get("/resident/../../etc/passwd").status_code == 404
