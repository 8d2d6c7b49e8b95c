"""Proof bundles of one custodian: put together when a record is served, completed when the ledger holds the receipt
(docs/formats.md §9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from eth_utils.crypto import keccak

from core import bundle
from core.bundle import AccountProof, Commit, DecisionPart, ReceiptPart, RecordPart, StorageWord, TreeProof, Wanted
from core.emergency import KIND as EMERGENCY
from core.entry import IndexEntry
from core.hexes import to_bytes, to_hex
from core.words import ZERO
from gateway.ledger.port import Call, Ledger, LedgerProof
from gateway.ledger.reasons import LedgerError, Reason
from offchain.receipts import Receipt

if TYPE_CHECKING:
    from offchain.gate.reading import Served


def served(reading: Served, custodian_key: bytes) -> dict[str, Any]:
    """The bundle of a reading, without its ledger part: that takes a block more."""
    opened, head = reading.opened, reading.standing.head
    proof = opened.proof
    return bundle.build(
        record=RecordPart(opened.disclosure, reading.document.document, opened.digest_salt),
        entry=IndexEntry.unpack(opened.held.leaf),
        batch=proof.batch,
        index=TreeProof(proof.index, proof.size, proof.hashes, proof.root),
        request=reading.admitted.signed,
        body=reading.body.decode(),
        artefact=reading.shown.artefact,
        decision=DecisionPart(reading.decision, reading.request, reading.standing.state, head.height, head.hash, head.time),
        receipt=receipt_part(reading.receipt),
        custodian_key=custodian_key,
    )


def receipt_part(receipt: Receipt) -> ReceiptPart:
    """A receipt as bundles carry it."""
    group = receipt.group
    place = TreeProof.of(group.tree, receipt.number - group.first)
    return ReceiptPart(receipt.json, receipt.salt, receipt.number, group.first, place, group.signature)


def completion(ledger: Ledger, receipt: Receipt, anchor: tuple[int, TreeProof] | None, recorded_at: int | None) -> dict[str, Any]:
    """What a reader adds to the bundle it was given: ``{"receipt", "ledger"}``.

    ``anchor``: batch number and place of the receipt on the ledger, ``recorded_at``: height from which the ledger has it.
    ``ledger`` is None where the ledger has no storage proofs, or its node no longer has the state of the decision's block.
    """
    skeleton = _skeleton(receipt)
    if _in_emergency(ledger, skeleton):
        skeleton["consent"]["artefact"]["kind"] = EMERGENCY
    if anchor is not None:
        skeleton = bundle.with_anchor(skeleton, *anchor)
    return {"receipt": skeleton["receipt"], "ledger": _ledger_part(ledger, skeleton, recorded_at)}


def _in_emergency(ledger: Ledger, skeleton: Mapping[str, Any]) -> bool:
    """Whether what the receipt names is an emergency: it says so on the ledger alone."""
    named = skeleton["consent"]["artefact"]
    if named is None or named["consent"] is None:
        return False
    call = Call("Access", "emergencyOf", {"id": to_bytes(named["consent"])})
    return bool(ledger.read(call)["organisation"] != ZERO)


def complete(given: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    """The reader's side: its bundle with the completion of the same receipt. ValueError if it is of another one."""
    if given["receipt"]["json"] != added["receipt"]["json"]:
        raise ValueError("this completes another receipt")
    return {**given, "receipt": dict(added["receipt"]), "ledger": added["ledger"]}


def _skeleton(receipt: Receipt) -> dict[str, Any]:
    """As much of the bundle as :func:`core.bundle.slots` looks at, from the receipt alone: the gate keeps no copy of what it
    served."""
    doc = orjson.loads(receipt.json)
    nobody = to_hex(ZERO)
    request = {n: doc[n] for n in ("subject", "requester", "organisation", "record")}
    request |= {"custodian": doc["store"], "schema": nobody, "role": 0, "purpose": 0, "category": 0, "fields": nobody}
    own = doc["reason"] == "self"
    return {
        "index": {"batch": receipt.index_batch or 0},
        "request": {"keyid": f"{'subject' if own else 'practitioner'}:{doc['requester']}"},
        "consent": {"artefact": None if own else {"consent": doc["consent"]}},
        "decision": {"request": request, "height": doc["height"], "block": doc["block"]},
        "receipt": receipt_part(receipt).to_json(),
    }


def _ledger_part(ledger: Ledger, skeleton: Mapping[str, Any], recorded_at: int | None) -> dict[str, Any] | None:
    if ledger.info().endorses:
        return _endorsed_part(ledger, skeleton)
    headers: dict[bytes, bytes] = {}
    proofs: list[AccountProof] = []
    commits: dict[bytes, Commit] = {}
    for wanted in bundle.slots(skeleton, keccak):
        at = recorded_at if wanted.late else to_bytes(skeleton["decision"]["block"])
        found = _proof(ledger, wanted.contract, wanted.slots, at) if at is not None else None
        if found is None:
            return None
        headers[found.block.hash] = found.header
        if found.commit is not None:
            headers[found.commit.block] = found.commit.header
            commits[found.commit.block] = found.commit
        proofs.append(_account(wanted, found))
    info = ledger.info()
    return bundle.evm_ledger(info.chain, info.ledger_id, info.contracts, headers, proofs, commits.values())


def _endorsed_part(ledger: Ledger, skeleton: Mapping[str, Any]) -> dict[str, Any] | None:
    asked = bundle.questions(skeleton)
    if asked is None:
        return None
    slots = [method.encode() + b"\0" + orjson.dumps(args) for method, args in asked]
    found = _proof(ledger, "", slots, to_bytes(skeleton["decision"]["block"]))
    if found is None or found.endorsed is None:
        return None
    info = ledger.info()
    return found.endorsed.to_json(info.ledger_id, info.contracts)


def _proof(ledger: Ledger, contract: str, slots: Sequence[bytes], at: int | bytes) -> LedgerProof | None:
    try:
        return ledger.proof(contract, slots, at)
    except LedgerError as e:
        if e.reason in (Reason.NOT_FOUND, Reason.REJECTED, Reason.INTERNAL):
            return None
        raise


def _account(wanted: Wanted, found: LedgerProof) -> AccountProof:
    words = [StorageWord(s.slot, s.value, s.proof) for s in found.storage]
    return AccountProof(wanted.contract, found.block.hash, found.account_proof, words, wanted.meaning)
