"""Organisations with real keys on a scripted ledger, and what they say of their mirrors."""

from __future__ import annotations

from dataclasses import dataclass, field

from core import crypto
from gateway.ledger.port import Call
from tests.mirror.scripted import Raw, ScriptedLedger

PAIRS = [crypto.sm2_generate() for _ in range(4)]


@dataclass
class Organisation:
    """A member; ``recorded``: how many records of evidence it has made."""

    id: bytes
    pair: crypto.KeyPair
    recorded: int = field(default=0)

    @classmethod
    def number(cls, n: int) -> Organisation:
        return cls(bytes([n + 1]) * 32, PAIRS[n])

    def sign(self, message: bytes) -> bytes:
        return crypto.sm2_sign(self.pair.private, message)

    def joins(self) -> list[Raw]:
        account = "0x" + self.id[:20].hex()
        key = {"x": self.pair.public[:32], "y": self.pair.public[32:]}
        invited = {"organisation": self.id, "nameDigest": self.id, "roles": 3, "account": account, **key}
        joined: Raw = ("Alliance", "OrganisationJoined", {"organisation": self.id, "account": account})
        return [("Alliance", "OrganisationInvited", invited), joined]

    def records(self, ledger: ScriptedLedger, calls: list[Call]) -> None:
        """Each record in a block of its own, as a contract would number them."""
        for call in calls:
            assert (call.contract, call.method) == ("Evidence", "record")
            ledger.extend([("Evidence", "EvidenceRecorded", {"organisation": self.id, "number": self.recorded, **call.args})])
            self.recorded += 1
