"""DataIndex: anchored batches of index entries."""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak

from core.words import kind_word, number
from gateway.ledger.memory.contracts.common import CUSTODIAN, ZERO, active_caller
from gateway.ledger.memory.frame import Frame, Revert, external

NAME = "DataIndex"
ENTRY_KIND = kind_word("healthtrust/index-entry/v1")
ENTRY_BYTES = 256


@external(NAME, "anchorBatch(bytes32 root, uint64 firstSequence, uint32 count, bytes32 previousRoot) whenThawed")
def anchor_batch(f: Frame, root: bytes, first: int, count: int, previous: bytes) -> None:
    _anchored(f, *_append(f, root, first, count, previous), root, first, count, previous)


@external(NAME, "anchorEntries(bytes32 root, uint64 firstSequence, uint32 count, bytes32 previousRoot, bytes entries) whenThawed")
def anchor_entries(f: Frame, root: bytes, first: int, count: int, previous: bytes, entries: bytes) -> None:
    caller, batch = _append(f, root, first, count, previous)
    _require_entries(caller, first, count, entries)
    f.put(NAME, "digest", caller, batch, value=keccak(entries))
    _anchored(f, caller, batch, root, first, count, previous)
    args = {"organisation": caller, "batch": batch, "root": root, "firstSequence": first, "count": count, "entries": entries}
    f.emit(NAME, "EntriesAnchored", **args)


@external(NAME, "batchOf(bytes32 organisation, uint64 batch)")
def batch_of(f: Frame, organisation: bytes, batch: int) -> dict[str, Any]:
    found = f.get(NAME, "batch", organisation, batch)
    if found is None:
        raise Revert("UnknownBatch", organisation, batch)
    return dict(zip(("root", "firstSequence", "count", "anchoredAt"), found, strict=True))


@external(NAME, "entriesDigestOf(bytes32 organisation, uint64 batch)")
def entries_digest_of(f: Frame, organisation: bytes, batch: int) -> bytes:
    return f.get(NAME, "digest", organisation, batch) or ZERO


@external(NAME, "headOf(bytes32 organisation)")
def head_of(f: Frame, organisation: bytes) -> dict[str, Any]:
    batches, following = f.get(NAME, "head", organisation) or (0, 0)
    return {"batches": batches, "nextSequence": following, "lastRoot": _last_root(f, organisation, batches)}


def _append(f: Frame, root: bytes, first: int, count: int, previous: bytes) -> tuple[bytes, int]:
    caller = active_caller(f, CUSTODIAN)
    if root == ZERO or count == 0:
        raise Revert("ZeroValue")
    batch, following = f.get(NAME, "head", caller) or (0, 0)
    if first != following:
        raise Revert("WrongSequence", first, following)
    last = _last_root(f, caller, batch)
    if previous != last:
        raise Revert("WrongPreviousRoot", previous, last)
    f.put(NAME, "head", caller, value=(batch + 1, first + count))
    f.put(NAME, "batch", caller, batch, value=(root, first, count, f.time))
    return caller, batch


def _anchored(f: Frame, caller: bytes, batch: int, root: bytes, first: int, count: int, previous: bytes) -> None:
    args = {
        "organisation": caller,
        "batch": batch,
        "root": root,
        "firstSequence": first,
        "count": count,
        "previousRoot": previous,
    }
    f.emit(NAME, "BatchAnchored", **args)


def _last_root(f: Frame, organisation: bytes, batches: int) -> bytes:
    if not batches:
        return ZERO
    root: bytes = f.get(NAME, "batch", organisation, batches - 1)[0]
    return root


def _require_entries(caller: bytes, first: int, count: int, entries: bytes) -> None:
    if len(entries) != count * ENTRY_BYTES:
        raise Revert("WrongLength", len(entries), count * ENTRY_BYTES)
    for i in range(count):
        entry = entries[i * ENTRY_BYTES : (i + 1) * ENTRY_BYTES]
        if entry[:32] != ENTRY_KIND or entry[32:64] != caller or number(entry[224:232]) != first + i:
            raise Revert("WrongEntry", i)
