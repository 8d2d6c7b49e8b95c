"""The ledger part of a bundle, whatever ledger it is from."""

from __future__ import annotations

from typing import Any

from .comet import read_comet
from .evidence import Evidence
from .evm import read_evm
from .fabric import read_fabric
from .read import Malformed, part_of


def read_evidence(ledger: Any) -> Evidence:
    """Check every header, proof and signature of the ledger part. Malformed if one does not hold."""
    readers = {"evm": read_evm, "comet": read_comet, "fabric": read_fabric}
    kind = part_of(ledger, "kind")
    if kind not in readers:
        raise Malformed("a ledger of an unknown kind")
    return readers[kind](ledger)
