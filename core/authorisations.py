"""What a ledger authorises, as one hash that is the same whichever ledger holds it (docs/formats.md §13).

Two ledgers have different blocks, addresses and signing domains. What they must agree on is what follows from all of it: which
consents are in force with which commitment, period and uses, and which index each custodian has anchored. Leaves are sorted, so
that a neighbouring pair also proves that nothing lies between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from core import crypto, merkle
from core.errors import Malformed
from core.words import exact, kind_word, u32, u64

CONSENT_KIND = kind_word("healthtrust/live-consent/v1")
INDEX_KIND = kind_word("healthtrust/index-head/v1")
SET_KIND = kind_word("healthtrust/authorisations/v1")


@dataclass(frozen=True, slots=True)
class LiveConsent:
    """A consent that is active on the ledger, sealed as it lies there; times UTC seconds, ``use_limit`` 0 = unlimited.

    One whose period has passed still counts until it is amended or revoked: what is in force must not depend on when one looks.
    """

    consent: bytes
    subject: bytes
    commitment: bytes
    not_before: int
    not_after: int
    use_limit: int
    uses: int

    def leaf(self) -> bytes:
        """Kind, consent, subject, commitment, ``notBefore u64 ‖ notAfter u64 ‖ useLimit u32 ‖ uses u32 ‖ zeros``."""
        terms = u64(self.not_before) + u64(self.not_after) + u32(self.use_limit) + u32(self.uses) + bytes(8)
        return CONSENT_KIND + exact(self.consent) + exact(self.subject) + exact(self.commitment) + terms


@dataclass(frozen=True, slots=True)
class IndexHead:
    """Where a custodian's index stands: how many batches, how many entries, the newest root."""

    organisation: bytes
    batches: int
    entries: int
    root: bytes

    def leaf(self) -> bytes:
        """Kind, organisation, root, ``batches u64 ‖ entries u64 ‖ zeros``."""
        return INDEX_KIND + exact(self.organisation) + exact(self.root) + u64(self.batches) + u64(self.entries) + bytes(16)


@dataclass(frozen=True, slots=True)
class Authorisations:
    """Roots and sizes of the two sorted trees, and the hash over them."""

    consents: int
    consents_root: bytes
    indexes: int
    indexes_root: bytes

    @property
    def digest(self) -> bytes:
        """``SM3(kind ‖ consents root ‖ indexes root ‖ consents u64 ‖ indexes u64 ‖ zeros)``."""
        sizes = u64(self.consents) + u64(self.indexes) + bytes(16)
        return crypto.sm3(SET_KIND + self.consents_root + self.indexes_root + sizes)


def authorisations(consents: Iterable[LiveConsent], indexes: Iterable[IndexHead]) -> Authorisations:
    """The set in canonical form. Malformed if a consent or an organisation is named twice."""
    by_consent = _sorted((c.consent, c.leaf()) for c in consents)
    by_organisation = _sorted((i.organisation, i.leaf()) for i in indexes)
    return Authorisations(len(by_consent), _root(by_consent), len(by_organisation), _root(by_organisation))


def _sorted(leaves: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    keyed = sorted(leaves)
    for (one, _), (other, _) in pairwise(keyed):
        if one == other:
            raise Malformed("authorisations_malformed", detail=f"0x{one.hex()} is named twice")
    return [leaf for _, leaf in keyed]


def _root(leaves: list[bytes]) -> bytes:
    return merkle.root(merkle.leaf_hashes(leaves))
