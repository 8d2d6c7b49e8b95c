"""What this custodian's own node says of others' keys, signed by the custodian (``POST /keys``, docs/formats.md §14).

A phone has no ledger node. Before it seals a consent it asks the custodians that will open it anyway whose keys these are: a
gateway in wrong hands cannot put a key of its own in a doctor's name then. All of it is public on the ledger, and nothing in it
depends on what the custodian holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from core.canonical import canonical
from core.errors import HealthTrustError
from core.hexes import to_bytes, to_hex
from gateway.ledger.port import Block, Call, Ledger
from offchain.gate.refusals import BadRequest

KIND = "healthtrust/key-statement"
ACTIVE = 1
CUSTODIAN = 1
"""Bit of an organisation's roles (docs/ledger.md, Alliance)."""
MOST_KEYS = 200
PartyKind = Literal["organisation", "practitioner"]
_READ: dict[PartyKind, tuple[str, str, str]] = {
    "organisation": ("Alliance", "organisation", "id"),
    "practitioner": ("Identity", "credentialOf", "practitioner"),
}


@dataclass(frozen=True, slots=True)
class KeysWish:
    """Whose keys are asked for. ``nonce``: 32 bytes of the asker's, so that an old answer is of no use."""

    nonce: bytes
    parties: tuple[tuple[PartyKind, bytes], ...]


def keys_wish(body: bytes) -> KeysWish:
    """``{"nonce": "0x…", "parties": [{"kind", "id"}, …]}``. Raises BadRequest."""
    try:
        doc = orjson.loads(body)
        parties = tuple((p["kind"], to_bytes(p["id"])) for p in doc["parties"])
        nonce = to_bytes(doc["nonce"])
    except (orjson.JSONDecodeError, HealthTrustError, TypeError, KeyError) as e:
        raise BadRequest(detail="nonce and parties are needed, each party with kind and id") from e
    if not 1 <= len(parties) <= MOST_KEYS or any(kind not in _READ for kind, _ in parties):
        raise BadRequest(detail=f"1 to {MOST_KEYS} parties, each an organisation or a practitioner")
    return KeysWish(nonce, parties)


def key_statement(ledger: Ledger, custodian: bytes, head: Block, wish: KeysWish) -> bytes:
    """Canonical text of what the ledger holds at ``head``. Raises LedgerError."""
    answers = ledger.read_many([_call(kind, id) for kind, id in wish.parties], head.hash)
    return canonical(
        {
            "kind": KIND,
            "version": 1,
            "ledger": to_hex(ledger.info().ledger_id),
            "custodian": to_hex(custodian),
            "nonce": to_hex(wish.nonce),
            "block": {"height": head.height, "hash": to_hex(head.hash), "time": head.time},
            "keys": _said(wish.parties, answers, head.time),
        }
    )


def _call(kind: PartyKind, id: bytes) -> Call:
    contract, function, name = _READ[kind]
    return Call(contract, function, {name: id})


def _said(parties: Sequence[tuple[PartyKind, bytes]], answers: Sequence[Any], at: int) -> list[dict[str, Any]]:
    return [
        {"kind": kind, "id": to_hex(id), "publicKey": to_hex(found["x"] + found["y"]), **_DESCRIBE[kind](found, at)}
        for (kind, id), found in zip(parties, answers, strict=True)
    ]


def _organisation(found: dict[str, Any], _at: int) -> dict[str, Any]:
    custodian = bool(found["roles"] & CUSTODIAN)
    return {"active": found["status"] == ACTIVE, "custodian": custodian, "nameDigest": to_hex(found["nameDigest"])}


def _practitioner(found: dict[str, Any], at: int) -> dict[str, Any]:
    active = found["status"] == ACTIVE and found["notBefore"] <= at < found["notAfter"]
    return {"active": active, "organisation": to_hex(found["organisation"])}


_DESCRIBE = {"organisation": _organisation, "practitioner": _practitioner}
