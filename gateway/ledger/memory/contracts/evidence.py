"""Evidence: digests of logs, reports, releases."""

from __future__ import annotations

from typing import Any

from gateway.ledger.memory.contracts.common import ZERO, active_caller
from gateway.ledger.memory.frame import Frame, Revert, external

NAME = "Evidence"


@external(NAME, "record(bytes32 kind, bytes32 digest) whenThawed")
def record(f: Frame, kind: bytes, digest: bytes) -> None:
    caller = active_caller(f)
    if ZERO in (kind, digest):
        raise Revert("ZeroValue")
    number = count_of(f, caller)
    f.put(NAME, "count", caller, value=number + 1)
    f.put(NAME, "item", caller, number, value=(kind, digest, f.time))
    f.emit(NAME, "EvidenceRecorded", organisation=caller, number=number, kind=kind, digest=digest)


@external(NAME, "evidenceOf(bytes32 organisation, uint64 number)")
def evidence_of(f: Frame, organisation: bytes, number: int) -> dict[str, Any]:
    item = f.get(NAME, "item", organisation, number)
    if item is None:
        raise Revert("UnknownEvidence", organisation, number)
    return dict(zip(("kind", "digest", "recordedAt"), item, strict=True))


@external(NAME, "countOf(bytes32 organisation)")
def count_of(f: Frame, organisation: bytes) -> int:
    return f.get(NAME, "count", organisation) or 0
