"""The document a founded ledger leaves behind (``contracts.json``): what every kind of ledger writes there, read one way."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from gateway.ledger.reasons import LedgerError, Reason

CONTRACTS = (
    "SM2Verifier",
    "Alliance",
    "Registry",
    "Identity",
    "Schema",
    "DataIndex",
    "Consent",
    "Access",
    "Workflow",
    "Evidence",
)
"""Of one ledger, in the order in which the founding publishes them."""


@dataclass(frozen=True, kw_only=True)
class Deployment(ABC):
    """``genesis``: hash of block 0; ``block``: height at which the last contract was there; ``contracts``: name → address, lower
    case; ``former``: name → addresses that served the duty before, oldest first. Kinds of ledgers add what names theirs."""

    genesis: bytes
    ledger_id: bytes
    block: int
    contracts: Mapping[str, str]
    former: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file. Raises LedgerError not_found or invalid_argument."""
        try:
            return cls.parse(json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            raise LedgerError(Reason.NOT_FOUND, detail=f"{path} is missing: the ledger has to be founded first") from None
        except (KeyError, TypeError, ValueError) as e:
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"{path} is not a contracts file of this ledger: {e!r}") from e

    @classmethod
    def parse(cls, doc: Mapping[str, Any]) -> Self:
        """From the parsed JSON. Raises KeyError, TypeError, ValueError."""
        return cls(
            **cls._names(doc),
            genesis=bytes.fromhex(doc["genesis"][2:]),
            ledger_id=bytes.fromhex(doc["ledgerId"][2:]),
            block=int(doc["block"]),
            contracts={name: address.lower() for name, address in doc["contracts"].items()},
            former={name: tuple(a.lower() for a in addresses) for name, addresses in doc.get("former", {}).items()},
        )

    @classmethod
    @abstractmethod
    def _names(cls, doc: Mapping[str, Any]) -> dict[str, Any]:
        """What names this kind of ledger."""
