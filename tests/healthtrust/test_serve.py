"""Built pages are served with headers that keep them out of frames and caches honest."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from healthtrust.applications import Pages

SCRIPT = "0;" * 4000


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    """Pages as the build leaves them."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<title>x</title>")
    (tmp_path / "assets" / "app-1a2b.js").write_text(SCRIPT)
    (tmp_path / "assets" / "app-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    return TestClient(Starlette(routes=[Mount("/resident", Pages(directory=tmp_path, html=True))]))


def test_pages_and_assets_have_their_headers(client: TestClient) -> None:
    page, asset = client.get("/resident/"), client.get("/resident/assets/app-1a2b.js")
    assert page.headers["cache-control"] == "no-cache"
    assert "immutable" in asset.headers["cache-control"]
    assert page.headers["x-frame-options"] == asset.headers["x-frame-options"] == "DENY"
    assert client.get("/resident/../../etc/passwd").status_code == 404


def test_a_browser_that_takes_gzip_gets_the_small_form_of_the_same_file(client: TestClient) -> None:
    asset = "/resident/assets/app-1a2b.js"
    small, plain = client.get(asset), client.get(asset, headers={"Accept-Encoding": "identity"})
    assert small.text == plain.text == SCRIPT
    assert small.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert int(small.headers["content-length"]) < len(SCRIPT) == int(plain.headers["content-length"])
    assert small.headers["content-type"] == plain.headers["content-type"]
    assert small.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert small.headers["etag"] != plain.headers["etag"]
    assert "content-encoding" not in client.get("/resident/").headers


def test_the_process_that_forks_the_workers_leaves_the_crypto_library_to_them(tmp_path: Path) -> None:
    script = "from healthtrust import serve; serve.load(); from core.crypto.engines import gmsm; print(gmsm._library._tried)"
    environment = os.environ | {"HEALTHTRUST_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "False\n"
