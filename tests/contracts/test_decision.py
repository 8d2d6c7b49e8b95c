"""The decision function in Solidity, on every shared vector, and over the contracts' own state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode

from contracts.script.compile import CONTRACTS as SOURCES
from core import crypto
from core.words import kind_word, word
from tests.contracts.lab import LAST, Lab, harness, packed

pytestmark = pytest.mark.node
TESTS = Path(__file__).parents[1]
ROWS = json.loads((TESTS / "shared" / "decision.json").read_text())["rows"]
CONSENT = "(bytes32,bytes32,uint64,uint64,uint32,uint32,uint8)"
CREDENTIAL = "(bytes32,uint32,uint64,uint64,uint8)"
REQUEST = "(bytes32,bytes32,bytes32,uint8,uint8,uint8,bytes32,bytes32,bytes32,uint256)"
ROW = f"(({CONSENT},uint8,uint8,{CREDENTIAL}),{REQUEST},bytes,bytes32,uint64)"


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def arguments(row: dict[str, Any]) -> tuple[Any, ...]:
    s, q = row["state"], row["request"]
    c, k = s["consent"], s["credential"]
    consent = (raw(c["subject"]), raw(c["commitment"]), c["notBefore"], c["notAfter"], c["useLimit"], c["uses"], c["status"])
    credential = (raw(k["organisation"]), k["roles"], k["notBefore"], k["notAfter"], k["status"])
    ids = [raw(q[name]) for name in ("subject", "requester", "organisation")]
    where = [raw(q[name]) for name in ("custodian", "record", "schema")]
    request = (*ids, q["role"], q["purpose"], q["category"], *where, int(q["fields"], 16))
    return (consent, s["organisation"], s["custodian"], credential), request, raw(row["words"]), raw(row["salt"]), row["time"]


def fits(row: dict[str, Any]) -> bool:
    """Whether Solidity's types can hold the row at all; one that they cannot hold is refused when the call is decoded."""
    try:
        encode([ROW], [arguments(row)])
    except Exception:
        return False
    return True


def test_every_shared_vector(lab: Lab) -> None:
    rows = [r for r in ROWS if fits(r)]
    answers = list(harness(lab, f"evaluateMany:{ROW}[]", "(uint8,uint16,uint256)[]", [arguments(r) for r in rows], size=40))
    names = ("outcome", "reason", "fields")
    wrong = [(r["name"], got) for r, got in zip(rows, answers, strict=True) if got != expected(r)]
    assert not wrong, (names, wrong[:5])
    assert len(rows) >= 0.95 * len(ROWS)
    assert {a[1] for a in answers} == set(range(22))


def expected(row: dict[str, Any]) -> tuple[int, int, int]:
    e = row.get("expected", row)
    fields = e["fields"]
    return int(e["outcome"]), int(e["reason"]), int(fields, 16) if isinstance(fields, str) else int(fields)


def test_vocabulary_is_the_one_of_core() -> None:
    words = json.loads((TESTS.parent / "core" / "vocabulary.json").read_text())
    text = (SOURCES / "src" / "libraries" / "Vocabulary.sol").read_text()
    for name in ("purposes", "categories", "roles"):
        assert f"constant {name.upper()} = {len(words[name])};" in text
    patrqt = next(p["n"] for p in words["purposes"] if p["code"] == "PATRQT")
    assert f"constant PATRQT = {patrqt};" in text


def scope_words(subject: bytes, grantee: bytes, end: int = LAST, purposes: int = 1) -> bytes:
    """Practitioner grantee, one purpose, all categories, custodians, records and schemas."""
    head = bytes([1, 1, 0, 0]) + purposes.to_bytes(4, "big") + bytes(6) + bytes([7]) + bytes(17)
    period = (0).to_bytes(8, "big") + end.to_bytes(8, "big") + bytes(16)
    return kind_word("healthtrust/scope/v1") + subject + head + grantee + bytes(32) + period + b"\xff" * 32


def ask(lab: Lab, subject: bytes, requester: bytes, **change: Any) -> dict[str, Any]:
    """A request for three fields of some record."""
    ids = {"subject": subject, "requester": requester, "requesterOrganisation": lab.first.id, "custodian": lab.first.id}
    return {**ids, "role": 0, "purpose": 0, "category": 3, "record": word(7), "schema": word(8), "fields": 0b111, **change}


def test_decide_over_real_state(lab: Lab) -> None:
    resident, doctor = lab.resident(), lab.practitioner()
    words, salt, consent = scope_words(resident.id, doctor.id), crypto.sm3(b"salt"), crypto.sm3(b"decide over real state")
    opened = {"consent": consent, "scopeWords": words, "salt": salt}

    def decide(**change: Any) -> tuple[int, int, int]:
        args = {"request": ask(lab, resident.id, doctor.id), **opened, "time": lab.time(), **change}
        return tuple(lab.read("Consent", "decide", **args).values())  # type: ignore[return-value]

    assert decide() == (0, 6, 0)
    lab.send("Consent", "grant", **lab.granting(resident, consent, crypto.hmac_sm3(salt, words)))
    assert decide() == (1, 0, 0b111)
    assert decide(salt=word(1)) == (2, 13, 0)
    assert decide(request=ask(lab, resident.id, doctor.id, purpose=3)) == (2, 17, 0)
    asks = [{"request": ask(lab, resident.id, doctor.id), **opened}, {"request": ask(lab, word(5), doctor.id), **opened}]
    many = lab.read("Consent", "decideMany", asks=asks, time=lab.time())
    assert [tuple(a.values()) for a in many] == [(1, 0, 0b111), (2, 7, 0)]
    lab.send("Consent", "revoke", **lab.revoking(resident, consent))
    assert decide() == (2, 8, 0)


def test_states_are_the_words_of_every_contract(lab: Lab) -> None:
    resident, doctor = lab.resident(), lab.practitioner(roles=5)
    consent = lab.grant(resident, not_before=5, not_after=LAST - 1, uses=9)
    query = {"consent": consent, "requester": doctor.id, "requesterOrganisation": lab.first.id, "custodian": word(3)}
    (state,) = lab.read("Consent", "statesOf", queries=[query])
    held = lab.read("Consent", "consentOf", consent=consent)
    assert held["packed"] == packed(5, LAST - 1, 9, 0)
    words = {"subject": resident.id, "commitment": held["commitment"], "notBefore": 5, "notAfter": LAST - 1}
    assert state["consent"] == {**words, "useLimit": 9, "uses": 0, "status": 1}
    assert (state["requesterOrganisation"], state["custodian"]) == (1, 0)
    assert state["credential"] == {"organisation": lab.first.id, "roles": 5, "notBefore": 0, "notAfter": LAST, "status": 1}
