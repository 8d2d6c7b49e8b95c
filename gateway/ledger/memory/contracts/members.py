"""What the alliance keeps of a member."""

from __future__ import annotations

from dataclasses import dataclass

NONE, ACTIVE, SUSPENDED, LEFT, INVITED = range(5)


@dataclass(frozen=True, slots=True)
class Organisation:
    """Status, role bits, key (x, y) with its counter, SM3 of the name, time of joining.

    ``era`` counts invitations: an account belongs to that of one.
    """

    status: int = NONE
    roles: int = 0
    joined_at: int = 0
    key_nonce: int = 0
    era: int = 0
    x: bytes = bytes(32)
    y: bytes = bytes(32)
    name_digest: bytes = bytes(32)


NOBODY = Organisation()
