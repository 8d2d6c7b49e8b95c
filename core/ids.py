"""Every id of docs/formats.md §1. Ids are 32 bytes; none can be turned back into the name or number it was made from without
its key."""

from __future__ import annotations

import secrets
from typing import Any

from core import crypto
from core.canonical import canonical, nfc
from core.errors import Malformed
from core.words import exact

MAX_USES = 100_000
"""Longest use chain we make; a longer one costs more hashing than any sensible consent is worth."""


def ledger_id(alliance: str, random: bytes) -> bytes:
    """Id of a ledger, from the alliance's name and 32 random bytes."""
    return crypto.sm3(_join("ledger", _text(alliance)) + exact(random, "random"))


def organisation_id(code: str) -> bytes:
    """Id of an organisation by its public code (统一社会信用代码 or another)."""
    return crypto.sm3(_join("organisation", _text(code)))


def subject_id(key: bytes, system: str, value: str) -> bytes:
    """Pseudonym of a person from the first identifier seen; ``key`` is the registrar's EMPI key (32 bytes)."""
    return crypto.hmac_sm3(exact(key, "EMPI key"), _join("subject", _text(system), _text(value)))


def practitioner_id(key: bytes, licence: str) -> bytes:
    """Id of a practitioner by licence number; ``key`` is the registrar's directory key (32 bytes)."""
    return crypto.hmac_sm3(exact(key, "directory key"), _join("practitioner", _text(licence)))


def schema_id(document: dict[str, Any]) -> bytes:
    """Id of a schema document: its canonical JSON, hashed."""
    return crypto.sm3(_join("schema", canonical(document)))


def record_id(key: bytes, source_system: str, source_id: str) -> bytes:
    """Id of a record through all its versions; ``key`` is the organisation's record key (32 bytes)."""
    return crypto.hmac_sm3(exact(key, "record key"), _join("record", _text(source_system), _text(source_id)))


def consent_id(seed: bytes, use_limit: int) -> bytes:
    """SM3 applied max(1, use limit) times to the 32-byte seed (the head of the use chain)."""
    if not 0 <= use_limit <= MAX_USES:
        raise Malformed("use_limit_malformed", detail=f"a use limit is 0 to {MAX_USES}")
    return chain(exact(seed, "seed"), max(1, use_limit))


def use_preimage(seed: bytes, use_limit: int, use: int) -> bytes:
    """What is shown to spend use ``use`` (1-based) of ``use_limit``: ``SM3^(limit − use)(seed)``."""
    if not 1 <= use <= use_limit <= MAX_USES:
        raise Malformed("use_limit_malformed", detail="use must be 1 to the use limit")
    return chain(exact(seed, "seed"), use_limit - use)


def lookup(key: bytes, id_number: str) -> bytes:
    """Directory entry of an ID number; ``key`` is the directory key (32 bytes). The directory never holds the number."""
    return crypto.hmac_sm3(exact(key, "directory key"), _join("lookup", normal_id_number(id_number)))


def normal_id_number(text: str) -> bytes:
    """An ID number as hashed: NFKC-free, without blanks, ASCII letters in upper case (the check digit ``x``)."""
    return "".join(nfc(text).split()).upper().encode()


def random32() -> bytes:
    """32 fresh random bytes: salts and seeds."""
    return secrets.token_bytes(32)


def chain(value: bytes, times: int) -> bytes:
    """SM3 applied ``times`` times."""
    for _ in range(times):
        value = crypto.sm3(value)
    return value


def _text(text: str) -> bytes:
    raw = nfc(text).encode()
    if not raw or 0 in raw:
        raise Malformed("identifier_malformed", detail="an identifier is not empty and holds no zero byte")
    return raw


def _join(kind: str, *parts: bytes) -> bytes:
    return b"\0".join((f"healthtrust/{kind}/v1".encode(), *parts))
