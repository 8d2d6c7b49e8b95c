"""What an organisation's mirror says of a block, signed, and how it lies on the ledger (docs/formats.md §16).

The statement holds nothing of who makes it: organisations whose mirrors agree make the same one, compared by its digest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core import crypto
from core.words import exact, kind_word, number, u64

KIND = kind_word("healthtrust/mirror-checkpoint/v1")
SIGNED_KIND = kind_word("healthtrust/mirror-signed/v1")
#: Kinds of evidence: 24 bytes of name, then the height as u64.
AT, R, S = (
    name.ljust(24, b"\0") for name in (b"healthtrust/mirror-at/v1", b"healthtrust/mirror-r/v1", b"healthtrust/mirror-s/v1")
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A block as a mirror holds it: its hash, the mirror's digest after it (§12), and the tree of live consents (§15)."""

    ledger_id: bytes
    height: int
    block: bytes
    mirror_digest: bytes
    live_root: bytes
    consents: int

    @property
    def digest(self) -> bytes:
        """``SM3(kind ‖ ledger id ‖ block hash ‖ mirror digest ‖ live root ‖ height u64 ‖ consents u64 ‖ zeros)``."""
        words = (self.ledger_id, self.block, self.mirror_digest, self.live_root)
        numbers = u64(self.height) + u64(self.consents) + bytes(16)
        return crypto.sm3(KIND + b"".join(exact(w) for w in words) + numbers)


def signed_words(organisation: bytes, height: int, digest: bytes) -> bytes:
    """What the organisation's SM2 key signs: kind, organisation, height as a word, the statement's digest."""
    return SIGNED_KIND + exact(organisation) + height.to_bytes(32, "big") + exact(digest)


def evidence(
    statement: Statement, organisation: bytes, sign: Callable[[bytes], bytes]
) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes], tuple[bytes, bytes]]:
    """(kind, digest) of the three records of evidence, in order: the signature's halves, then what they sign."""
    signature = sign(signed_words(organisation, statement.height, statement.digest))
    height = u64(statement.height)
    return (R + height, signature[:32]), (S + height, signature[32:]), (AT + height, statement.digest)


def height_of(kind: bytes) -> int | None:
    """The height a record of evidence speaks of, None if its kind is no statement's."""
    return number(kind[24:]) if kind[:24] == AT else None
