"""The vectors against an independent Go implementation (emmansun/gmsm, as in the chaincode), both ways: it checks ours, we check
what it makes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from core.crypto import encoding
from tests.support.engines import ENGINES, engine_named

HERE = Path(__file__).parents[2] / "chaincode"


@pytest.fixture(scope="module")
def made_in_go(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """Runs the Go tests; returns what Go signed and sealed."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("go is not installed: the Go implementation is not checked")
    out = tmp_path_factory.mktemp("go") / "made.json"
    environment = os.environ | {"HEALTHTRUST_INTEROP_OUT": str(out)}
    ready = subprocess.run([go, "mod", "download"], cwd=HERE, capture_output=True, encoding="utf-8", check=False, timeout=240)
    if ready.returncode:
        pytest.skip(f"the Go modules cannot be fetched: {ready.stderr.strip()}")
    command = [go, "test", "-count=1", "-mod=readonly", "./national"]
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, encoding="utf-8", check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return list(json.loads(out.read_text("utf-8")))


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_what_go_makes_holds_here(made_in_go: list[dict[str, str]], name: str) -> None:
    engine = engine_named(name)
    assert len(made_in_go) >= 16
    for made in made_in_go:
        row = {key: bytes.fromhex(value) for key, value in made.items()}
        assert engine.sm2_verify(row["public"], row["message"], encoding.der_to_raw(row["der"]), row["uid"])
        assert engine.sm2_decrypt(row["private"], row["cipher"]) == row["plain"]
