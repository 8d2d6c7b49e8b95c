"""Vector files, read once."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parent.parent / "shared"


@cache
def vectors(name: str) -> Any:
    """Content of ``tests/shared/<name>.json``."""
    return json.loads((SHARED / f"{name}.json").read_text("utf-8"))


def raw(text: str) -> bytes:
    """Bytes of hex, with or without 0x."""
    return bytes.fromhex(text.removeprefix("0x"))
