"""What the contracts share: callers, roles, signatures."""

from __future__ import annotations

from core import crypto
from core.crypto.encoding import on_curve, sm2_z
from core.words import word
from gateway.ledger.memory.contracts.members import ACTIVE, NOBODY, Organisation
from gateway.ledger.memory.frame import Frame, Revert

ZERO = bytes(32)
CUSTODIAN, REGISTRAR, AUDITOR = 1 << 0, 1 << 2, 1 << 3


def member(f: Frame, organisation: bytes) -> Organisation:
    """An organisation; the empty one where there is none."""
    found: Organisation | None = f.get("Alliance", "organisation", organisation)
    return found or NOBODY


def seat_of(f: Frame, account: str) -> bytes:
    """The organisation an account speaks for, zero if none: a new invitation lets go of the accounts before it."""
    held: tuple[bytes, int] | None = f.get("Alliance", "account", account)
    if held is None or member(f, held[0]).era != held[1]:
        return ZERO
    return held[0]


def caller(f: Frame) -> bytes:
    """The caller's organisation, whatever its status."""
    id = seat_of(f, f.sender)
    if id == ZERO:
        raise Revert("NotAMember", f.sender)
    return id


def active_caller(f: Frame, role: int = 0) -> bytes:
    """The caller's organisation, active and with the role bits."""
    id = caller(f)
    o = member(f, id)
    if o.status != ACTIVE:
        raise Revert("NotActive", id)
    if o.roles & role != role:
        raise Revert("RoleMissing", id, role)
    return id


def z_of(x: bytes, y: bytes) -> bytes:
    """SM2's Z of a key under the default user id; for any two words, like the contract's."""
    return sm2_z(x + y)


def is_key(x: bytes, y: bytes) -> bool:
    """Whether the words are a point of the curve."""
    return on_curve(x + y)


def verify(x: bytes, y: bytes, message: bytes, r: bytes, s: bytes) -> tuple[bool, bytes]:
    """Whether the signature holds, and the digest it is over."""
    digest = crypto.sm3(z_of(x, y) + message)
    return is_key(x, y) and crypto.sm2_verify(x + y, message, r + s), digest


def pack(*parts: bytes | int) -> bytes:
    """Words of a message."""
    return b"".join(word(p) for p in parts)
