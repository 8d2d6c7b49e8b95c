"""The connection profile a network hands to its members (network/fabric): which peers there are, and how to know them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.ledger.fabric.gateway import Peer
from gateway.ledger.reasons import LedgerError, Reason


@dataclass(frozen=True)
class Profile:
    """``peers``: by the MSP id of their organisation."""

    channel: str
    peers: Mapping[str, tuple[Peer, ...]]

    @classmethod
    def read(cls, path: Path) -> Profile:
        """Read the file. Raises LedgerError not_found or invalid_argument."""
        try:
            return cls.parse(json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            raise LedgerError(Reason.NOT_FOUND, detail=f"{path} is missing: the network hands it out") from None
        except (KeyError, TypeError, ValueError) as e:
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"{path} is not a connection profile: {e!r}") from e

    @classmethod
    def parse(cls, doc: Mapping[str, Any]) -> Profile:
        """From the parsed JSON (kind ``healthtrust/fabric-profile``, version 1). Raises ValueError for another kind, or two
        organisations under one MSP id."""
        if (doc["kind"], doc["version"]) != ("healthtrust/fabric-profile", 1):
            raise ValueError(f"kind {doc['kind']} version {doc['version']}")
        peers: dict[str, tuple[Peer, ...]] = {}
        for organisation in doc["organisations"]:
            msp = organisation["msp"]
            if msp in peers:
                raise ValueError(f"two organisations are {msp}")
            peers[msp] = tuple(Peer(p["address"], p["tls_root"].encode(), msp=msp) for p in organisation["peers"])
        return cls(doc["channel"], peers)

    def own(self, msp: str) -> tuple[Peer, ...]:
        """An organisation's peers. Raises LedgerError invalid_argument when it has none."""
        if not self.peers.get(msp):
            known = ", ".join(self.peers)
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"the profile has no peer of {msp}; there are {known}")
        return self.peers[msp]
