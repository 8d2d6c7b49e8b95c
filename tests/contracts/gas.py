"""What each operation costs: ``python -m tests.contracts.gas`` writes ``contracts/gas-snapshot.json``; a test compares with it.

Signatures cost a little more or less with their bits, so verification is a mean; transactions are first ones of their subject
(dearest).
"""

from __future__ import annotations

import json
import secrets
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from contracts.script.compile import CONTRACTS
from core import crypto
from core.ids import consent_id
from core.words import kind_word
from tests.contracts.curve import B, G, N, P, negate, tuple_for
from tests.contracts.lab import Lab, Person

SNAPSHOT = CONTRACTS / "gas-snapshot.json"
SIGNATURE = "(uint256,uint256,uint256,uint256,uint256)"
SAMPLES = 20


def measure(lab: Lab) -> dict[str, int]:
    """Gas by operation."""
    return {**_primitives(lab), **_transactions(lab)}


def _primitives(lab: Lab) -> dict[str, int]:
    one, two = (_gas_of(lab, size, _signed())[0] for size in (0, 64))
    verifying = [_gas_of(lab, 0, _signed())[1] for _ in range(SAMPLES)]
    return {
        "SM3 first block": one,
        "SM3 further block": two - one,
        "SM2 verify": round(mean(verifying)),
        "SM2 verify, worst seen": max(verifying),
        "SM2 verify, key chosen to be slow": _gas_of(lab, 0, _crafted())[1],
    }


def _signed() -> tuple[int, ...]:
    pair, e_of = crypto.sm2_generate(), crypto.sm3
    z = e_of(bytes.fromhex("0080") + crypto.USER_ID + _curve() + pair.public)
    signature = crypto.sm2_sign(pair.private, b"gas")
    parts = (e_of(z + b"gas"), signature[:32], signature[32:], pair.public[:32], pair.public[32:])
    return tuple(int.from_bytes(p, "big") for p in parts)


def _crafted() -> tuple[int, ...]:
    """A valid signature by the key -G, whose table holds infinity: the slow loop decides."""
    made = tuple_for(N // 3, N // 5, negate(G))
    assert made is not None
    return made


def _curve() -> bytes:
    return b"".join(v.to_bytes(32, "big") for v in (P - 3, B, *G))


def _gas_of(lab: Lab, size: int, signature: tuple[int, ...]) -> tuple[int, int]:
    data = keccak(text=f"gasOf(bytes,{SIGNATURE})")[:4] + encode(["bytes", SIGNATURE], [bytes(size), signature])
    hashing, verifying = decode(["uint256", "uint256"], lab.call_harness(data))
    return int(hashing), int(verifying)


def _transactions(lab: Lab) -> dict[str, int]:
    person, seed = Person(), secrets.token_bytes(32)
    consent, other = consent_id(seed, 1), secrets.token_bytes(32)
    organisation = lab.first.id
    gas: dict[str, int] = {}

    def send(name: str, contract: str, method: str, **args: Any) -> None:
        lab.send(contract, method, **args)
        gas[name] = lab.gas_used[f"{contract}.{method}"]

    send("Identity.bindKey", "Identity", "bindKey", **lab.binding(person))
    send(
        "Identity.issueCredential",
        "Identity",
        "issueCredential",
        **lab.credential(Person(other, person.pair), notAfter=2**63),
    )
    send("Consent.grant, first of a subject", "Consent", "grant", **lab.granting(person, secrets.token_bytes(32), other))
    lab.grant(person, uses=1, consent=consent)
    gas["Consent.grant"] = lab.gas_used["Consent.grant"]
    send("Consent.spend", "Consent", "spend", consent=consent, preimage=seed)
    send("Consent.amend", "Consent", "amend", **lab.amending(person, consent, other, other))
    send("Consent.revoke", "Consent", "revoke", **lab.revoking(person, other))
    head = lab.read("DataIndex", "headOf", organisation=organisation)
    for name in ("DataIndex.anchorBatch, first", "DataIndex.anchorBatch"):
        send(
            name,
            "DataIndex",
            "anchorBatch",
            root=other,
            firstSequence=head["nextSequence"],
            count=100,
            previousRoot=head["lastRoot"],
        )
        head = lab.read("DataIndex", "headOf", organisation=organisation)
    entries = b"".join(_entry(organisation, head["nextSequence"] + n) for n in range(200))
    batch = {"firstSequence": head["nextSequence"], "count": 200, "previousRoot": other}
    send("DataIndex.anchorEntries, 200", "DataIndex", "anchorEntries", root=other, **batch, entries=entries)
    number = lab.read("Access", "receiptsOf", organisation=organisation)["nextNumber"]
    for name, at in (("Access.record, first", number), ("Access.record", number + 9)):
        send(name, "Access", "record", root=other, firstNumber=at, count=9, headHash=secrets.token_bytes(32))
    send("Access.request", "Access", "request", id=other, commitment=other)
    send("Evidence.record", "Evidence", "record", kind=kind_word("gas"), digest=other)
    return gas


def _entry(organisation: bytes, sequence: int) -> bytes:
    return (
        kind_word("healthtrust/index-entry/v1")
        + organisation
        + secrets.token_bytes(160)
        + sequence.to_bytes(8, "big")
        + bytes(24)
    )


def main() -> None:
    """Measure on a fresh node and write the snapshot."""
    with tempfile.TemporaryDirectory() as home:
        lab = Lab(Path(home))
        try:
            SNAPSHOT.write_text(json.dumps(measure(lab), indent=1) + "\n", "utf-8")
        finally:
            lab.close()
    print(SNAPSHOT.read_text("utf-8"), end="")


if __name__ == "__main__":
    main()
