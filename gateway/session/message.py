"""What a key signs to log in."""

from __future__ import annotations

from core import crypto
from core.words import exact, kind_word

KIND = kind_word("healthtrust/session/v1")


def login_message(ledger_id: bytes, audience: str, keyid: str, challenge: bytes) -> bytes:
    """The words of docs/formats.md §10: kind, ledger id, SM3(public URL of the gateway), SM3(key id), challenge.

    The audience keeps one gateway from using a challenge signed for another.
    """
    return KIND + exact(ledger_id) + crypto.sm3(audience.encode()) + crypto.sm3(keyid.encode()) + exact(challenge, "challenge")
