"""The ledger part of Fabric: an endorsed reading, and the block of a decision."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .der import INTEGER, SEQUENCE, der_value
from .endorsement import EndorsedRead
from .evidence import LATER, SLOTS, Evidence, slot_in
from .hashes import sha256
from .protobuf import field_of, protobuf
from .read import Malformed, from_hex, integer, number_in, part_of, word_of
from .x509 import Signed


@dataclass(frozen=True)
class FabricBlock:
    """A block as the ordering service made it. ``time``: of its newest transaction that peers counted."""

    number: int
    hash: bytes
    parent: bytes
    time: int
    orderers: list[Signed]

    @classmethod
    def read(cls, shown: Any) -> FabricBlock:
        """Malformed if an orderer's signature does not hold."""
        number, parent = number_in(part_of(shown, "number"), 2**63 - 1), from_hex(part_of(shown, "previous"))
        data, flags = [from_hex(one, None) for one in part_of(shown, "data")], from_hex(part_of(shown, "flags"), None)
        fields = der_value(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))
        header = der_value(SEQUENCE, fields + der_value(4, parent) + der_value(4, sha256(b"".join(data))))
        times = [_sent_at(one) for one, flag in zip(data, flags, strict=True) if flag == 0]
        metadata = protobuf(from_hex(part_of(shown, "signatures"), None))
        orderers = []
        for one in metadata.get(2, []):
            signed = protobuf(one)
            if 1 in signed:  # SmartBFT's name a number instead: such a block has to be in the checkpoint
                head = field_of(signed, 1, b"")
                message = field_of(metadata, 1, b"") + head + header
                orderers.append(Signed.check(field_of(protobuf(head), 1, b""), message, field_of(signed, 2, b"")))
        return cls(number, sha256(header), parent, max(times), orderers)


def _sent_at(envelope: bytes) -> int:
    """Seconds since 1970 at which a transaction says it was made."""
    head = protobuf(field_of(protobuf(field_of(protobuf(envelope), 1, b"")), 1, b""))
    seconds: int = field_of(protobuf(field_of(protobuf(field_of(head, 1, b"")), 3, b"")), 1, 0)
    return seconds


def read_fabric(ledger: Any) -> Evidence:
    """Words of an endorsed reading, put where the EVM's contracts have them. A key that was written last at or before the block
    of the decision had its value there, if the reading was made after that block: then it saw what a later one wrote."""
    evidence, block = Evidence(), FabricBlock.read(part_of(ledger, "block"))
    evidence.times[block.hash], evidence.heights[block.hash] = block.time, block.number
    evidence.parents[block.hash], evidence.orderers[block.hash] = block.parent, block.orderers
    evidence.resting.add(block.hash)
    said = evidence.endorsed = EndorsedRead.read(from_hex(part_of(ledger, "read"), None))
    if (said.channel, said.chaincode) != (part_of(ledger, "channel"), part_of(ledger, "chaincode")):
        raise Malformed("an answer of another chaincode")
    afterwards = max(said.versions.values(), default=-1) >= block.number
    for function, args, answer in said.answers:
        if function not in _FABRIC_WORDS:
            raise Malformed("a question that proves nothing")
        key, contract, slot, words = _FABRIC_WORDS[function](args, answer)
        held = afterwards and said.versions.get(key, block.number + 1) <= block.number
        at = block.hash if held else LATER
        evidence.words.setdefault((contract, at), {}).update({slot + i: word for i, word in enumerate(words)})
    return evidence


_FabricWords = tuple[str, str, int, list[bytes]]
"""Key in the ledger's state, contract, first storage slot, words from there on."""


def _fabric_state(family: str, id: bytes, *more: str) -> str:
    """A composite key of the chaincode."""
    return "".join(f"\0{part}" for part in (family, id.hex(), *more)) + "\0"


def _fabric_batch(contract: str, family: str, base: int, args: Any, answer: Any) -> _FabricWords:
    organisation, number = from_hex(part_of(args, "organisation")), _decimal(part_of(args, "batch"))
    key = _fabric_state(f"{contract}/{family}", organisation, f"{number:016x}")
    first = "firstSequence" if contract == "DataIndex" else "firstNumber"
    packed = _decimal(part_of(answer, first)) | _decimal(part_of(answer, "count")) << 64
    words = [from_hex(part_of(answer, "root")), word_of(packed)]
    return key, contract, slot_in(word_of(number), slot_in(organisation, base)), words


def _fabric_organisation(args: Any, answer: Any) -> _FabricWords:
    id = from_hex(part_of(args, "id"))
    words = [word_of(number_in(part_of(answer, "status"), 255)), from_hex(part_of(answer, "x")), from_hex(part_of(answer, "y"))]
    return _fabric_state("Alliance/organisation", id), "Alliance", slot_in(id, SLOTS["organisations"]), words


def _fabric_credential(args: Any, answer: Any) -> _FabricWords:
    id = from_hex(part_of(args, "practitioner"))
    packed = _decimal(part_of(answer, "notBefore")) | _decimal(part_of(answer, "notAfter")) << 64
    packed |= number_in(part_of(answer, "roles"), 2**32 - 1) << 128 | number_in(part_of(answer, "status"), 255) << 160
    words = [*(from_hex(part_of(answer, name)) for name in ("organisation", "x", "y")), word_of(packed)]
    return _fabric_state("Identity/credential", id), "Identity", slot_in(id, SLOTS["credentials"]), words


def _fabric_key(args: Any, answer: Any) -> _FabricWords:
    id = from_hex(part_of(args, "subject"))
    words = [from_hex(part_of(answer, "x")), from_hex(part_of(answer, "y"))]
    return _fabric_state("Identity/key", id), "Identity", slot_in(id, SLOTS["keys"]), words


def _fabric_consent(args: Any, answer: Any) -> _FabricWords:
    id, signed = from_hex(part_of(args, "consent")), word_of(_decimal(part_of(answer, "packed")))
    packed = integer(signed[:8]) | integer(signed[8:16]) << 64 | integer(signed[16:20]) << 128
    packed |= number_in(part_of(answer, "uses"), 2**32 - 1) << 160 | number_in(part_of(answer, "status"), 255) << 248
    words = [from_hex(part_of(answer, "subject")), from_hex(part_of(answer, "commitment")), word_of(packed)]
    return _fabric_state("Consent/consent", id), "Consent", slot_in(id, SLOTS["consents"]), words


def _fabric_emergency(args: Any, answer: Any) -> _FabricWords:
    id = from_hex(part_of(args, "id"))
    packed = _decimal(part_of(answer, "endsAt")) | _decimal(part_of(answer, "reviewBy")) << 64
    packed |= number_in(part_of(answer, "outcome"), 255) << 128
    words = [from_hex(part_of(answer, "organisation")), from_hex(part_of(answer, "commitment")), word_of(packed)]
    return _fabric_state("Access/emergency", id), "Access", slot_in(id, SLOTS["emergencies"]), words


_FABRIC_WORDS: dict[str, Callable[[Any, Any], _FabricWords]] = {
    "DataIndex.batchOf": lambda args, answer: _fabric_batch("DataIndex", "batch", SLOTS["batches"], args, answer),
    "Access.receiptBatchOf": lambda args, answer: _fabric_batch("Access", "receipt-batch", SLOTS["receipts"], args, answer),
    "Alliance.organisation": _fabric_organisation,
    "Identity.credentialOf": _fabric_credential,
    "Identity.keyOf": _fabric_key,
    "Access.emergencyOf": _fabric_emergency,
    "Consent.consentOf": _fabric_consent,
}


def _decimal(value: Any) -> int:
    """A number as chaincode writes it: JSON's up to 32 bits, decimal text above."""
    if isinstance(value, str) and re.fullmatch(r"0|[1-9][0-9]{0,77}", value):
        return int(value)
    return number_in(value, 2**53)
