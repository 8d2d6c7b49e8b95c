"""Calls as text, for the operation table."""

from __future__ import annotations

import json
from typing import Any

from gateway.ledger.port import Call


def dump_call(call: Call) -> str:
    """A call as JSON text; bytes are ``{"hex": …}``, structures ``{"map": …}``."""
    return json.dumps([call.contract, call.method, _plain(call.args)], sort_keys=True, separators=(",", ":"))


def load_call(text: str) -> Call:
    """Inverse of :func:`dump_call`."""
    contract, method, args = json.loads(text)
    return Call(contract, method, _rich(args))


BEGINNING = 64
"""Characters of a call's text that hold its contract."""
_DECODER = json.JSONDecoder()


def contract_of(beginning: str) -> str:
    """A call's contract, from the first :data:`BEGINNING` characters of its text: the rest may be megabytes."""
    contract: str = _DECODER.raw_decode(beginning, 1)[0]
    return contract


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return {"hex": bytes(value).hex()}
    if isinstance(value, dict):
        return {"map": {k: _plain(v) for k, v in value.items()}}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _rich(value: Any) -> Any:
    if isinstance(value, list):
        return [_rich(v) for v in value]
    if not isinstance(value, dict):
        return value
    return bytes.fromhex(value["hex"]) if "hex" in value else {k: _rich(v) for k, v in value["map"].items()}
