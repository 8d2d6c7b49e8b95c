"""Keys: bound by two signatures, rotated by the old key, recovered slowly and stoppable; credentials stay with their
practitioner."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from eth_account import Account

from core import crypto
from core.ids import ledger_id
from tests.contracts.lab import LAST, Lab, Person, message, xy

pytestmark = pytest.mark.node
DELAY = 7 * 86400


def rotation(lab: Lab, person: Person, new: crypto.KeyPair, signer: crypto.KeyPair | None = None) -> dict[str, Any]:
    where, nonce = lab.domain("Identity"), lab.read("Identity", "nonceOf", subject=person.id)
    signed = message("key-rotate", where, person.id, new.public[:32], new.public[32:], nonce)
    return {
        "subject": person.id,
        **xy(new),
        "signature": crypto.sm2_sign((signer or person.pair).private, signed),
        "possession": crypto.sm2_sign(new.private, message("key-bind", where, person.id, new.public[:32], new.public[32:])),
    }


def recovery(lab: Lab, person: Person, new: crypto.KeyPair, kind: str = "key-recover") -> dict[str, Any]:
    where, nonce = lab.domain("Identity"), lab.read("Identity", "nonceOf", subject=person.id)
    x, y = new.public[:32], new.public[32:]
    attested = message(kind, where, person.id, x, y, nonce) if kind == "key-recover" else message(kind, where, person.id, x, y)
    return {
        "subject": person.id,
        **xy(new),
        "possession": crypto.sm2_sign(new.private, message("key-bind", where, person.id, x, y)),
        "registrar": lab.first.id,
        "attestation": crypto.sm2_sign(lab.first.pair.private, attested),
    }


def veto(lab: Lab, person: Person, pending: crypto.KeyPair) -> dict[str, Any]:
    where, nonce = lab.domain("Identity"), lab.read("Identity", "nonceOf", subject=person.id)
    signed = message("key-veto", where, person.id, pending.public[:32], pending.public[32:], nonce)
    return {"subject": person.id, "signature": crypto.sm2_sign(person.pair.private, signed)}


def key_of(lab: Lab, person: Person) -> tuple[bytes, int, int]:
    k = lab.read("Identity", "keyOf", subject=person.id)
    return k["x"] + k["y"], k["status"], k["version"]


def test_bind(lab: Lab) -> None:
    person = Person()
    assert key_of(lab, person) == (bytes(64), 0, 0)
    ((name, event),) = lab.send("Identity", "bindKey", **lab.binding(person))
    assert (name, event) == ("KeyBound", {"subject": person.id, **xy(person.pair), "registrar": lab.first.id, "version": 1})
    assert key_of(lab, person) == (person.pair.public, 1, 1)
    assert lab.reason("Identity", "bindKey", **lab.binding(person)) == "KeyExists"


def test_binding_needs_both_signatures_over_this_key_and_person(lab: Lab) -> None:
    person, other = Person(), Person()
    good, foreign = lab.binding(person), lab.binding(other)
    for change in (
        {"possession": foreign["possession"]},
        {"attestation": foreign["attestation"]},
        {"possession": good["attestation"]},
        {"attestation": good["possession"]},
    ):
        assert lab.reason("Identity", "bindKey", **{**good, **change}) == "BadSignature", change
    assert lab.reason("Identity", "bindKey", **{**good, "subject": other.id}) == "BadSignature"
    assert lab.reason("Identity", "bindKey", **{**good, "possession": good["possession"][:-1]}) == "BadSignatureLength"
    assert lab.reason("Identity", "bindKey", **{**good, "attestation": good["attestation"] + b"\0"}) == "BadSignatureLength"
    assert lab.reason("Identity", "bindKey", **{**good, "x": bytes(32)}) == "KeyOffCurve"
    assert lab.reason("Identity", "bindKey", **{**good, "registrar": secrets.token_bytes(32)}) == "NotRegistrar"
    assert lab.reason("Identity", "bindKey", Account.create(), **good) == "NotAMember"
    assert lab.reason("Identity", "bindKey", **lab.binding(Person(bytes(32)))) == "ZeroValue"
    lab.send("Identity", "bindKey", **good)


def test_rotate_needs_the_old_and_the_new_key(lab: Lab) -> None:
    person, new, thief = lab.resident(), crypto.sm2_generate(), crypto.sm2_generate()
    assert lab.reason("Identity", "rotateKey", **rotation(lab, person, new, signer=thief)) == "BadSignature"
    assert lab.reason("Identity", "rotateKey", **rotation(lab, person, new, signer=new)) == "BadSignature"
    good = rotation(lab, person, new)
    assert lab.reason("Identity", "rotateKey", **{**good, "possession": good["signature"]}) == "BadSignature"
    assert lab.reason("Identity", "rotateKey", **rotation(lab, person, person.pair)) == "SameKey"
    assert lab.reason("Identity", "rotateKey", **rotation(lab, Person(), new)) == "NoKey"
    ((name, event),) = lab.send("Identity", "rotateKey", **good)
    assert (name, event) == ("KeyRotated", {"subject": person.id, **xy(new), "version": 2})
    back = rotation(lab, Person(person.id, new), person.pair)
    lab.send("Identity", "rotateKey", **back)
    assert lab.reason("Identity", "rotateKey", **good) == "BadSignature"  # the first rotation again: its nonce is used


def test_recovery_waits_then_replaces(lab: Lab) -> None:
    person, new = lab.resident(), crypto.sm2_generate()
    ((name, event),) = lab.send("Identity", "requestRecovery", **recovery(lab, person, new))
    assert (name, event["executableAt"]) == ("RecoveryRequested", lab.time() + DELAY)
    assert lab.reason("Identity", "recoverKey", subject=person.id) == "TooEarly"
    assert lab.reason("Identity", "requestRecovery", **recovery(lab, person, crypto.sm2_generate())) == "RecoveryPending"
    lab.wait(DELAY - 100)
    assert lab.reason("Identity", "recoverKey", subject=person.id) == "TooEarly"
    lab.wait(100)
    lab.send("Identity", "recoverKey", Account.create(), subject=person.id)
    assert key_of(lab, person) == (new.public, 1, 2)
    assert lab.reason("Identity", "recoverKey", subject=person.id) == "NoRecovery"


def test_an_old_attestation_recovers_nothing(lab: Lab) -> None:
    """The attestation of the first key lies on the chain for everyone; it must not bring a rotated-away key back."""
    person = lab.resident()
    first, new = person.pair, crypto.sm2_generate()
    lab.send("Identity", "rotateKey", **rotation(lab, person, new))
    person.pair = new
    assert lab.reason("Identity", "requestRecovery", **recovery(lab, person, first, kind="key-attest")) == "BadSignature"
    used = recovery(lab, person, first)
    lab.send("Identity", "requestRecovery", **used)
    lab.send("Identity", "vetoRecovery", **veto(lab, person, first))
    assert lab.reason("Identity", "requestRecovery", **used) == "BadSignature"


def test_the_current_key_vetoes_and_nobody_else(lab: Lab) -> None:
    person, new = lab.resident(), crypto.sm2_generate()
    lab.send("Identity", "requestRecovery", **recovery(lab, person, new))
    assert lab.reason("Identity", "vetoRecovery", **veto(lab, Person(person.id), new)) == "BadSignature"
    ((name, _),) = lab.send("Identity", "vetoRecovery", Account.create(), **veto(lab, person, new))
    assert name == "RecoveryVetoed"
    lab.wait(DELAY)
    assert lab.reason("Identity", "recoverKey", subject=person.id) == "NoRecovery"
    assert key_of(lab, person) == (person.pair.public, 1, 1)


def test_a_rotation_ends_a_pending_recovery(lab: Lab) -> None:
    person, new = lab.resident(), crypto.sm2_generate()
    lab.send("Identity", "requestRecovery", **recovery(lab, person, crypto.sm2_generate()))
    names = [name for name, _ in lab.send("Identity", "rotateKey", **rotation(lab, person, new))]
    assert names == ["RecoveryVetoed", "KeyRotated"]
    assert lab.read("Identity", "recoveryOf", subject=person.id)["executableAt"] == 0


def test_credentials(lab: Lab) -> None:
    person = Person()
    assert lab.reason("Identity", "issueCredential", Account.create(), **lab.credential(person)) == "NotAMember"
    for change, error in (
        ({"practitioner": bytes(32)}, "ZeroValue"),
        ({"roles": 0}, "UnknownRoles"),
        ({"roles": 1 << 8}, "UnknownRoles"),
        ({"notBefore": 5, "notAfter": 5}, "BadPeriod"),
        ({"notAfter": 1}, "BadPeriod"),
        ({"x": bytes(32)}, "KeyOffCurve"),
    ):
        assert lab.reason("Identity", "issueCredential", **lab.credential(person, **change)) == error
    lab.send("Identity", "issueCredential", **lab.credential(person, roles=255))
    held = lab.read("Identity", "credentialOf", practitioner=person.id)
    assert held == {"organisation": lab.first.id, **xy(person.pair), "roles": 255, "notBefore": 0, "notAfter": LAST, "status": 1}
    lab.send("Identity", "revokeCredential", **lab.dismissal(person))
    assert lab.read("Identity", "credentialOf", practitioner=person.id)["status"] == 2
    assert lab.reason("Identity", "revokeCredential", **lab.dismissal(person)) == "NoCredential"


def test_another_hospital_cannot_become_the_practitioner(fresh: Lab) -> None:
    other = fresh.invite("OTHER")
    fresh.send("Alliance", "join", other.account, organisation=other.id)
    person, theirs = fresh.practitioner(fresh.first), crypto.sm2_generate()
    taken = fresh.credential(person, issuer=other)
    assert fresh.reason("Identity", "issueCredential", other.account, **taken) == "CredentialHeld"
    assert fresh.reason("Identity", "revokeCredential", other.account, **fresh.dismissal(person, other)) == "CredentialHeld"
    fresh.send("Identity", "revokeCredential", **fresh.dismissal(person))
    changed = fresh.credential(person, issuer=other, **xy(theirs))
    assert fresh.reason("Identity", "issueCredential", other.account, **changed) == "KeyOfAnother"
    fresh.send("Identity", "issueCredential", other.account, **fresh.credential(person, issuer=other))


def test_an_account_alone_issues_and_revokes_nothing(lab: Lab) -> None:
    """Whoever steals the relayer's ledger account cannot make a doctor, replace a doctor's key, or dismiss one."""
    person, thief = lab.practitioner(), crypto.sm2_generate()
    args = lab.credential(person, **xy(thief))
    forged = crypto.sm2_sign(thief.private, b"anything")
    assert lab.reason("Identity", "issueCredential", **{**args, "signature": forged}) == "BadSignature"
    assert lab.reason("Identity", "issueCredential", **{**args, "signature": b""}) == "BadSignatureLength"
    assert lab.reason("Identity", "revokeCredential", practitioner=person.id, signature=forged) == "BadSignature"
    assert lab.reason("Identity", "issueCredential", **{**args, "roles": 3}) == "BadSignature"


def test_ledger_id_and_domains(lab: Lab) -> None:
    assert len({lab.domain(c) for c in ("Identity", "Consent", "Alliance", "Access")}) == 4
    for contract in ("Identity", "Consent", "Alliance", "Access"):
        assert lab.read(contract, "domain") == lab.domain(contract)
    assert lab.ledger_id != ledger_id("测试联盟", bytes(32))
