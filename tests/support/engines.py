"""The crypto engines that tests run on."""

from __future__ import annotations

import pytest

from core import crypto
from core.crypto import Engine
from core.crypto.engines import gmsm

ENGINES = ("gmsm", "openssl", "reference")


def engine_named(name: str) -> Engine:
    """The engine, doing its own work; the test is skipped where it is not built (``make test`` builds it)."""
    if name == "gmsm" and not gmsm.path().is_file():
        pytest.skip("the crypto engine gmsm is not built: make engine")
    engine = crypto.load(name)
    assert engine.name == name
    return engine
