"""What the enrolment directory holds in place of names and numbers, and the activation code (docs/formats.md §1, §10).

``key`` is the registrar's directory key (32 bytes): without it nobody gets from a value back to what it is made of.
"""

from __future__ import annotations

import unicodedata

from core import ids
from core.crypto import hmac_sm3

READABLE = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Characters of a code: no 0/O and no 1/I/L, because it is read out over a counter or off paper."""
CODE_LENGTH = 10
_NAME = b"healthtrust/name/v1\0"
_ACTIVATION = b"healthtrust/activation/v1\0"


def normalise_number(value: str) -> str:
    """An identifier as it is compared: NFKC, upper case, letters and digits only (full-width digits and hyphens are common)."""
    return "".join(c for c in unicodedata.normalize("NFKC", value).upper() if c.isalnum())


def normalise_name(value: str) -> str:
    """A name as it is compared: NFKC, case folded, without spaces and middle dots."""
    return "".join(c for c in unicodedata.normalize("NFKC", value).casefold() if not c.isspace() and c not in "·•‧・")


def lookup(key: bytes, id_number: str) -> bytes:
    """Directory entry (32 bytes) of an ID number, however it was typed."""
    return ids.lookup(key, normalise_number(id_number))


def name_check(key: bytes, name: str) -> bytes:
    """Check value (32 bytes) of a name, however it was spaced or cased."""
    return hmac_sm3(key, _NAME + normalise_name(name).encode())


def activation_code(key: bytes, subject: bytes, issue: int = 0) -> str:
    """The code of a person's ``issue``-th activation: 10 readable characters (49 bits), derived, so that no database holds it."""
    later = issue.to_bytes(4, "big") if issue else b""
    number = int.from_bytes(hmac_sm3(key, _ACTIVATION + subject + later), "big")
    code = ""
    for _ in range(CODE_LENGTH):
        number, digit = divmod(number, len(READABLE))
        code += READABLE[digit]
    return code
