"""The offline verifier on a bundle of four validators: ICS-23 proofs under their signatures. A validator set is all it trusts."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from core import verify
from core.verify import comet, ed25519
from core.verify.ics23 import IAVL, proved_value
from core.verify.read import Malformed
from tests.core.shared import raw, vectors
from tests.core.test_verify import at, changed, leaves, other

BUNDLE, TRUST = vectors("comet")["bundle"], vectors("comet")["trust"]
LEDGER = BUNDLE["ledger"]


def with_ledger(**parts: Any) -> dict[str, Any]:
    return {**BUNDLE, "ledger": {**LEDGER, **parts}}


def test_the_whole_bundle_holds_under_the_validators_keys() -> None:
    report = verify.verify(BUNDLE, TRUST)
    assert report.exit_code == 0, report.text()
    assert all(line.ok for line in report.lines), report.text()
    assert TRUST["blocks"] == []


def test_without_the_validators_it_says_so() -> None:
    without = {k: v for k, v in TRUST.items() if k not in ("chain", "validators")}
    strangers = [{**one, "key": "0x" + f"{n:02x}" * 32} for n, one in enumerate(TRUST["validators"])]
    for trust in (None, without, {**TRUST, "validators": strangers}, {**TRUST, "chain": "healthtrust_1-1"}):
        assert verify.verify(BUNDLE, trust).exit_code == 3


def test_blocks_may_be_trusted_instead() -> None:
    without = {k: v for k, v in TRUST.items() if k not in ("chain", "validators")}
    assert verify.verify(with_ledger(commits={}), {**without, "blocks": list(LEDGER["headers"])}).exit_code == 0


def test_two_thirds_of_the_power_are_not_enough() -> None:
    """Three of four sign a block at least; of six, as the checkpoint has it here, that is no more than half, of four and a half
    two thirds."""
    few = {block: {**commit, "signatures": commit["signatures"][:3]} for block, commit in LEDGER["commits"].items()}
    bundle = with_ledger(commits=few)
    assert verify.verify(bundle, TRUST).exit_code == 0
    more = [{"key": "0x" + "00" * 31 + "07", "power": TRUST["validators"][0]["power"] // 2}]
    assert verify.verify(bundle, {**TRUST, "validators": TRUST["validators"] + more}).exit_code == 3
    twice = {block: {**commit, "signatures": commit["signatures"][:1] * 4} for block, commit in few.items()}
    assert verify.verify(with_ledger(commits=twice), TRUST).exit_code == 3


def at_the_decision() -> dict[str, Any]:
    """The ledger part for the decision's block alone: of a later one, each commit also covers what the others do."""
    block = BUNDLE["decision"]["block"]
    fields = {name: comet.comet_fields(bytes.fromhex(header[2:])) for name, header in LEDGER["headers"].items()}
    (after,) = (name for name, f in fields.items() if "0x" + comet.CometHeader.read(f).parent.hex() == block)
    return {
        "headers": {name: LEDGER["headers"][name] for name in (block, after)},
        "commits": {after: LEDGER["commits"][after]},
        "proofs": [proof for proof in LEDGER["proofs"] if proof["block"] == block],
    }


def test_every_changed_value_shows() -> None:
    """Flip each value of the ledger part in turn: exit 0 only where enough other signatures stay."""
    bundle = with_ledger(**at_the_decision())
    assert verify.verify(bundle, TRUST).exit_code == 0
    free = {name for name in LEDGER["contracts"] if name not in {proof["contract"] for proof in bundle["ledger"]["proofs"]}}
    for path in leaves(bundle["ledger"], ("ledger",)):
        spare = path[1] == "commits" and path[3] == "signatures" and len(at(bundle, path[:4])) > 3
        if path[-1] != "meaning" and path[-1] not in free and not spare:
            assert verify.verify(changed(bundle, path, other), TRUST).exit_code in (1, 3), path


def test_every_proof_and_header_counts() -> None:
    shown = at_the_decision()
    for i, proof in enumerate(shown["proofs"]):
        report = verify.verify(with_ledger(**{**shown, "proofs": shown["proofs"][:i] + shown["proofs"][i + 1 :]}), TRUST)
        assert any(line.ok is None for line in report.lines if line.code != "ledger_receipt"), proof["meaning"]
    for block in shown["headers"]:
        rest = {k: v for k, v in shown["headers"].items() if k != block}
        assert verify.verify(with_ledger(**{**shown, "headers": rest}), TRUST).exit_code in (1, 3)


def test_a_forged_state_beside_a_signed_block_is_not_trusted() -> None:
    """A header of one's own, after the same block as the signed one, and words proved under it: refused as a fork."""
    forged = copy.deepcopy(LEDGER)
    shown = {bytes.fromhex(block[2:]): comet.comet_fields(bytes.fromhex(h[2:])) for block, h in forged["headers"].items()}
    signed = bytes.fromhex(next(iter(forged["commits"]))[2:])
    fields = list(shown[signed])
    fields[10] = b"\x0a\x20" + b"\1" * 32
    encoded = b"".join(bytes([len(f)]) + f for f in fields)
    forged["headers"]["0x" + comet.comet_hash(fields).hex()] = "0x" + encoded.hex()
    assert verify.verify({**BUNDLE, "ledger": forged}, TRUST).exit_code == 1
    del forged["headers"]["0x" + signed.hex()]
    del forged["commits"]["0x" + signed.hex()]
    assert verify.verify({**BUNDLE, "ledger": forged}, TRUST).exit_code == 1


def test_stores_prove_what_they_have_and_what_they_have_not() -> None:
    rows = vectors("ics23")["rows"]
    assert len(rows) > 100
    for row in rows:
        proof, key = raw(row["proof"]), raw(row["key"])
        if row["root"] is not None:
            assert proved_value(proof, key, IAVL) == (raw(row["root"]), raw(row["value"])), row["name"]
            continue
        with pytest.raises(Malformed):
            proved_value(proof, key, IAVL)


def test_ed25519_is_that_of_rfc_8032() -> None:
    key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert ed25519.ed25519_verify(key, b"\x72", signature)
    assert not ed25519.ed25519_verify(key, b"\x73", signature)
    order = 2**252 + 27742317777372353535851937790883648493
    high = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not ed25519.ed25519_verify(key, b"\x72", high)
    assert not ed25519.ed25519_verify(b"\xff" * 32, b"\x72", signature)
    assert not ed25519.ed25519_verify(key, b"\x72", b"\xff" * 32 + signature[32:])
