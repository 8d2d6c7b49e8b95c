"""Consent on the spot: the doctor's screen shows a code, the resident's phone reads it and prepares exactly this consent for
signing.

The code grants nothing and names no patient. It says who would read, for what; the resident sees it, may narrow it, and signs
on their own phone.
"""

from __future__ import annotations

import base64
from typing import Any

import orjson

from core.canonical import canonical
from core.errors import HealthTrustError
from core.hexes import to_hex
from core.vocabulary import category_number, purpose_number
from offchain.gate.refusals import BadRequest
from offchain.gate.view import Caller

KIND = "healthtrust/on-site-request"
LIFE_SECONDS = 300
MAX_DAYS = 366
_MEMBERS = {"purposes", "categories", "days"}


def onsite_payload(body: bytes, caller: Caller, custodian: bytes, gateway: str, now: float) -> tuple[str, dict[str, Any]]:
    """Text of the code (a link into the resident's pages) and the document in it. Raises BadRequest.

    ``body``: ``{"purposes": [code…], "categories": [code…]|"all", "days": 1…366}``.
    """
    wish = _wish(body)
    payload = {
        "kind": KIND,
        "version": 1,
        "practitioner": to_hex(caller.id),
        "custodian": to_hex(custodian),
        **wish,
        "expires": int(now) + LIFE_SECONDS,
    }
    packed = base64.urlsafe_b64encode(canonical(payload)).decode().rstrip("=")
    return f"{gateway.rstrip('/')}/resident/#/on-site/{packed}", payload


def _wish(body: bytes) -> dict[str, Any]:
    try:
        doc = orjson.loads(body)
        if not isinstance(doc, dict) or doc.keys() != _MEMBERS:
            raise BadRequest(detail="purposes, categories and days are needed")
        for code in doc["purposes"]:
            purpose_number(code)
        for code in [] if doc["categories"] == "all" else doc["categories"]:
            category_number(code)
    except (orjson.JSONDecodeError, TypeError, HealthTrustError) as e:
        raise BadRequest(detail="purposes and categories are codes of the vocabulary") from e
    if type(doc["days"]) is not int or not 1 <= doc["days"] <= MAX_DAYS or not doc["purposes"] or not doc["categories"]:
        raise BadRequest(detail=f"days is 1 to {MAX_DAYS}; purposes and categories are not empty")
    return doc
