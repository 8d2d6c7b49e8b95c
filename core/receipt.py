"""Receipts of readings and refusals (docs/formats.md §7): numbered and hash-chained per store, salted into Merkle batches."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from core import crypto, hexes, merkle
from core.canonical import canonical
from core.decision import Outcome, Reason
from core.errors import Malformed
from core.vocabulary import PURPOSES
from core.words import ZERO

KIND = "healthtrust/receipt"
_OUTCOMES = {o.text: o for o in Outcome}
GATE_REASONS = frozenset(
    {
        "ledger_unavailable",
        "ledger_behind",
        "clock_skew",
        "artefact_unreadable",
        "schema_unknown",
        "fields_unknown",
        "not_anchored",
        "record_damaged",
        "record_erased",
        "use_not_won",
        "gate_stopped",
    }
)
"""Refusals that are the gate's own rather than the decision's."""
REASONS = GATE_REASONS | {r.text for r in Reason}
_ID_FIELDS = ("store", "previous", "requester", "organisation", "subject", "record", "block", "request")


@dataclass(frozen=True, slots=True)
class Receipt:
    """One reading or refusal. Ids and hashes 32 bytes; ``time`` UTC seconds; ``fields`` the mask served.

    ``previous``: hash of receipt number−1 (zeros for the first); ``request``: SM3 of the signed request base; ``digest``:
    HMAC-SM3(fresh salt, RFC 8785 bytes of the content served), None if nothing was; ``reason``: text of a decision's reason or
    one of GATE_REASONS; ``height``, ``block``: where the ledger was read.
    """

    store: bytes
    number: int
    previous: bytes
    time: int
    requester: bytes
    organisation: bytes
    subject: bytes
    record: bytes
    purpose: str
    consent: bytes | None
    outcome: Outcome
    reason: str
    fields: int
    height: int
    block: bytes
    request: bytes
    digest: bytes | None

    def to_json(self) -> dict[str, Any]:
        """The JSON document."""
        ids: dict[str, Any] = {name: hexes.to_hex(getattr(self, name)) for name in _ID_FIELDS}
        return {
            "kind": KIND,
            "version": 1,
            **ids,
            "number": self.number,
            "time": self.time,
            "purpose": self.purpose,
            "consent": _optional(self.consent),
            "outcome": self.outcome.text,
            "reason": self.reason,
            "fields": f"0x{self.fields:064x}",
            "height": self.height,
            "digest": _optional(self.digest),
        }

    def canonical(self) -> bytes:
        """RFC 8785 bytes: what is hashed, chained and signed."""
        return canonical(self.to_json())

    def hash(self) -> bytes:
        """SM3 of :meth:`canonical`: the link of the chain."""
        return crypto.sm3(self.canonical())

    @classmethod
    def from_bytes(cls, data: bytes | str) -> Receipt:
        """Parse canonical bytes. Malformed if they are not exactly the canonical form of a receipt."""
        raw = data.encode() if isinstance(data, str) else data
        try:
            receipt = _parse(json.loads(raw))
        except (ValueError, KeyError, TypeError, RecursionError) as e:
            raise Malformed("receipt_malformed", detail="not a receipt of version 1") from e
        if receipt.canonical() != raw:
            raise Malformed("receipt_malformed", detail="the receipt is not in canonical form")
        return receipt


def _optional(value: bytes | None) -> str | None:
    return None if value is None else hexes.to_hex(value)


def _parse(doc: dict[str, Any]) -> Receipt:
    if doc["kind"] != KIND or doc["version"] != 1:
        raise ValueError("kind")
    ids: dict[str, Any] = {name: hexes.to_bytes(doc[name], 32, name) for name in _ID_FIELDS}
    optional: dict[str, Any] = {
        name: None if doc[name] is None else hexes.to_bytes(doc[name], 32, name) for name in ("consent", "digest")
    }
    numbers = {name: doc[name] for name in ("number", "time", "height")}
    if any(type(n) is not int or n < 0 for n in numbers.values()):
        raise ValueError("number")
    return Receipt(
        **ids,
        **optional,
        **numbers,
        purpose=PURPOSES.by_code(doc["purpose"]).code,
        outcome=_OUTCOMES[doc["outcome"]],
        reason=_reason(doc["reason"]),
        fields=int.from_bytes(hexes.to_bytes(doc["fields"]), "big"),
    )


def _reason(text: object) -> str:
    if not isinstance(text, str) or text not in REASONS:
        raise ValueError("reason")
    return text


def salted_leaf(salt: bytes, receipt: bytes) -> bytes:
    """Leaf *data* of a receipt: HMAC-SM3(salt, receipt bytes); nobody can guess receipts from the chain."""
    return crypto.hmac_sm3(salt, receipt)


def batch_root(leaves: list[bytes]) -> bytes:
    """Root over the salted leaves of a batch, in order of number."""
    return merkle.root(merkle.leaf_hashes(leaves))


def serve_digest(salt: bytes, content: Any) -> bytes:
    """``digest`` of a receipt: commitment to the content served."""
    return crypto.hmac_sm3(salt, canonical(content))


def following(previous: Receipt | None) -> tuple[int, bytes]:
    """Number and ``previous`` of the receipt after ``previous`` (None: the first, number 0)."""
    return (0, ZERO) if previous is None else (previous.number + 1, previous.hash())


def check_chain(receipts: list[Receipt], previous: bytes = ZERO, first: int = 0) -> int | None:
    """Position of the first receipt that breaks numbering or chain, or None if all follow each other from ``first`` and
    ``previous``."""
    for i, r in enumerate(receipts):
        if r.number != first + i or r.previous != previous or r.store != receipts[0].store:
            return i
        previous = r.hash()
    return None
