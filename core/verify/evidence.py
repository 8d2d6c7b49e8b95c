"""What the ledger part of a bundle proves, whatever ledger it is from."""

from __future__ import annotations

from dataclasses import dataclass, field

from .endorsement import EndorsedRead
from .hashes import keccak256
from .read import Missing, integer, word_of
from .x509 import Signed

# Base slots of the contracts' mappings (solc storage layout; a test compares them with the compiler's).
SLOTS = {"consents": 0, "batches": 1, "receipts": 2, "emergencies": 3, "keys": 0, "credentials": 2, "organisations": 2}


@dataclass
class Evidence:
    """Storage words proved by the bundle: (contract, block) → slot → word. ``times``, ``parents`` by block hash. ``resting``:
    the blocks whose headers it rests on; ``commits``: for CometBFT blocks, the bytes each validator's key is said to have
    signed, with the signature."""

    words: dict[tuple[str, bytes], dict[int, bytes]] = field(default_factory=dict)
    times: dict[bytes, int] = field(default_factory=dict)
    heights: dict[bytes, int] = field(default_factory=dict)
    parents: dict[bytes, bytes] = field(default_factory=dict)
    resting: set[bytes] = field(default_factory=set)
    chains: dict[bytes, bytes] = field(default_factory=dict)
    endorsed: EndorsedRead | None = None
    orderers: dict[bytes, list[Signed]] = field(default_factory=dict)
    commits: dict[bytes, dict[bytes, tuple[bytes, bytes]]] = field(default_factory=dict)

    def get(self, contract: str, block: bytes | None, slot: int) -> bytes:
        """A proved word at a block (None: at any block). Missing if it is not shown."""
        for (name, at), words in self.words.items():
            if name == contract and block in (None, at) and slot in words:
                return words[slot]
        raise Missing


def slot_in(key: bytes, base: int) -> int:
    return integer(keccak256(key + word_of(base)))


LATER = b""
"""In evidence from Fabric: what was so at some block after the decision's."""
