"""Print the OpenAPI document of the gateway with the mirror's routes, as the pages' client is made from. Needs no node: the
application stands on the in-memory ledger and an empty home."""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from pathlib import Path

from core import crypto
from gateway.app import create_app
from gateway.ledger.memory.chain import MemoryChain
from gateway.ledger.memory.ledger import MemoryLedger
from gateway.settings import Settings
from healthtrust.applications import mirrored


def document(home: Path) -> dict[str, object]:
    """What ``/api/v1/openapi.json`` of a running gateway says."""
    settings = Settings(home=home)
    one = b"\1" * 32
    public = crypto.sm2_public(one)
    somebody = (one, one, 1, public[:32], public[32:], "0x" + "01" * 20)
    app = create_app(settings, MemoryLedger(MemoryChain("openapi", somebody)))
    mirrored(app, settings)
    return app.openapi()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        json.dump(document(Path(folder)), sys.stdout, ensure_ascii=False, indent=1, sort_keys=True)
