"""Only the subject's own signature, once, on this ledger, in this contract, changes a consent."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from core import crypto
from core.ids import consent_id, use_preimage
from core.messages import ConsentAmend, ConsentGrant, ConsentRevoke, Terms, domain
from tests.contracts.lab import LAST, Lab, Person, message, packed, rs

pytestmark = pytest.mark.node
ACTIVE, AMENDED, REVOKED = 1, 2, 3


def words() -> tuple[bytes, bytes]:
    return secrets.token_bytes(32), secrets.token_bytes(32)


def signed_grant(lab: Lab, person: Person, consent: bytes, commitment: bytes, terms: int, /, **change: Any) -> dict[str, Any]:
    """A grant signed over other words than it is sent with, as ``change`` names them."""
    said = {"kind": "consent-grant", "domain": lab.domain("Consent"), "subject": person.id, "signer": person, **change}
    text = message(
        said["kind"],
        said["domain"],
        said["subject"],
        said.get("consent", consent),
        said.get("commitment", commitment),
        said.get("packed", terms),
    )
    signature = crypto.sm2_sign(said["signer"].pair.private, text)
    return {"subject": person.id, "consent": consent, "commitment": commitment, "packed": terms, **rs(signature)}


def test_grant_stores_and_tells_what_the_mirror_needs(lab: Lab) -> None:
    person, (consent, commitment) = lab.resident(), words()
    terms = packed(7, LAST, 3, 0)
    ((name, event),) = lab.send("Consent", "grant", **lab.granting(person, consent, commitment, terms))
    _, _, z, *_ = lab.read("Identity", "keyOf", subject=person.id).values()
    text = message("consent-grant", lab.domain("Consent"), person.id, consent, commitment, terms)
    assert name == "ConsentGranted"
    assert event == {
        "consent": consent,
        "subject": person.id,
        "commitment": commitment,
        "packed": terms,
        "messageHash": crypto.sm3(z + text),
    }
    held = {"subject": person.id, "commitment": commitment, "packed": terms, "uses": 0, "status": ACTIVE, "successor": bytes(32)}
    assert lab.read("Consent", "consentOf", consent=consent) == held
    assert lab.read("Consent", "nonceOf", subject=person.id) == 1


def test_messages_of_core_are_those_the_contract_checks(lab: Lab) -> None:
    person, (first, commitment), second = lab.resident(), words(), secrets.token_bytes(32)
    where = domain(lab.ledger_id, bytes.fromhex(lab.addresses["Consent"][2:]))
    assert where == lab.read("Consent", "domain")
    base = {"subject": person.id, "commitment": commitment}

    def sign(m: ConsentGrant | ConsentAmend | ConsentRevoke) -> dict[str, bytes]:
        return rs(crypto.sm2_sign(person.pair.private, m.pack()))

    terms = Terms(0, LAST, 0, 0)
    lab.send(
        "Consent",
        "grant",
        **base,
        consent=first,
        packed=int.from_bytes(terms.pack(), "big"),
        **sign(ConsentGrant(where, person.id, first, commitment, terms)),
    )
    terms = Terms(0, LAST, 0, 1)
    amend = ConsentAmend(where, person.id, second, commitment, terms, first)
    lab.send(
        "Consent", "amend", **base, consent=second, oldConsent=first, packed=int.from_bytes(terms.pack(), "big"), **sign(amend)
    )
    lab.send("Consent", "revoke", subject=person.id, consent=second, packed=2, **sign(ConsentRevoke(where, person.id, second, 2)))
    assert lab.read("Consent", "consentOf", consent=first)["successor"] == second
    assert lab.read("Consent", "consentOf", consent=second)["status"] == REVOKED


def test_a_stranger_may_relay(lab: Lab) -> None:
    from eth_account import Account

    person, (consent, commitment) = lab.resident(), words()
    lab.send("Consent", "grant", Account.create(), **lab.granting(person, consent, commitment))
    assert lab.read("Consent", "consentOf", consent=consent)["status"] == ACTIVE


def test_replay_is_refused(lab: Lab) -> None:
    person, (consent, commitment) = lab.resident(), words()
    args = lab.granting(person, consent, commitment)
    lab.send("Consent", "grant", **args)
    assert lab.reason("Consent", "grant", **args) == "WrongNonce"
    lab.send("Consent", "revoke", **lab.revoking(person, consent))
    assert lab.reason("Consent", "grant", **args) == "WrongNonce"


@pytest.mark.parametrize("ahead", [-1, 1, 2, 2**63])
def test_the_nonce_is_the_next_one(lab: Lab, ahead: int) -> None:
    person, (consent, commitment) = lab.resident(), words()
    lab.grant(person)
    terms = packed(nonce=1 + ahead)
    assert lab.reason("Consent", "grant", **signed_grant(lab, person, consent, commitment, terms)) == "WrongNonce"


def test_a_signature_over_anything_else_is_refused(lab: Lab) -> None:
    person, other, (consent, commitment) = lab.resident(), lab.resident(), words()
    terms = packed()
    address = bytes.fromhex(lab.addresses["Consent"][2:])
    for change in (
        {"kind": "consent-revoke"},
        {"kind": "consent-amend"},
        {"domain": lab.domain("Identity")},  # another contract
        {"domain": domain(secrets.token_bytes(32), address)},  # another ledger
        {"subject": other.id},
        {"signer": other},
        {"consent": secrets.token_bytes(32)},
        {"commitment": secrets.token_bytes(32)},
        {"packed": packed(not_after=LAST - 1)},
        {"packed": packed(uses=1)},
        {"packed": packed(nonce=1)},
    ):
        args = signed_grant(lab, person, consent, commitment, terms, **change)
        assert lab.reason("Consent", "grant", **args) == "BadSignature", change
    good = signed_grant(lab, person, consent, commitment, terms)
    assert lab.reason("Consent", "grant", **{**good, "subject": other.id}) == "BadSignature"
    assert lab.reason("Consent", "grant", **{**good, "subject": secrets.token_bytes(32)}) == "NoKey"
    lab.send("Consent", "grant", **good)


def test_ids_are_never_used_again(lab: Lab) -> None:
    person, other = lab.resident(), lab.resident()
    consent = lab.grant(person)
    assert lab.reason("Consent", "grant", **lab.granting(person, consent, words()[1])) == "ConsentExists"
    assert lab.reason("Consent", "grant", **lab.granting(other, consent, words()[1])) == "ConsentExists"
    lab.send("Consent", "revoke", **lab.revoking(person, consent))
    assert lab.reason("Consent", "grant", **lab.granting(person, consent, words()[1])) == "ConsentExists"
    assert lab.reason("Consent", "amend", **lab.amending(person, lab.grant(person), consent, words()[1])) == "ConsentExists"


def test_zero_words_and_senseless_periods_are_refused(lab: Lab) -> None:
    person, (consent, commitment) = lab.resident(), words()
    now = lab.time()
    assert lab.reason("Consent", "grant", **lab.granting(person, bytes(32), commitment)) == "ZeroValue"
    assert lab.reason("Consent", "grant", **lab.granting(person, consent, bytes(32))) == "ZeroValue"
    for terms in (packed(5, 5), packed(LAST, LAST - 1), packed(0, 0), packed(now - 50, now - 1)):
        assert lab.reason("Consent", "grant", **lab.granting(person, consent, commitment, terms)) == "BadPeriod"
    assert lab.reason("Consent", "grant", **lab.granting(person, consent, commitment, packed() | 1 << 64)) == "ReservedBits"
    assert lab.reason("Consent", "grant", **lab.granting(person, consent, commitment, packed() | 1 << 95)) == "ReservedBits"


def test_amend_replaces_and_points_on(lab: Lab) -> None:
    person, (new, commitment) = lab.resident(), words()
    old = lab.grant(person)
    ((name, event),) = lab.send("Consent", "amend", **lab.amending(person, old, new, commitment))
    assert (name, event["old"], event["consent"], event["subject"]) == ("ConsentAmended", old, new, person.id)
    assert lab.read("Consent", "consentOf", consent=old) | {"commitment": 0} == {
        "subject": person.id, "commitment": 0, "packed": packed(), "uses": 0, "status": AMENDED, "successor": new,
    }  # fmt: skip
    assert lab.read("Consent", "consentOf", consent=new)["status"] == ACTIVE
    assert lab.reason("Consent", "amend", **lab.amending(person, old, secrets.token_bytes(32), commitment)) == "ConsentNotActive"
    assert lab.reason("Consent", "revoke", **lab.revoking(person, old)) == "ConsentNotActive"


def test_nobody_touches_the_consent_of_another(lab: Lab) -> None:
    person, other = lab.resident(), lab.resident()
    consent = lab.grant(person)
    assert lab.reason("Consent", "revoke", **lab.revoking(other, consent)) == "WrongSubject"
    assert lab.reason("Consent", "amend", **lab.amending(other, consent, *words())) == "WrongSubject"
    assert lab.reason("Consent", "revoke", **lab.revoking(person, secrets.token_bytes(32))) == "ConsentNotActive"
    assert lab.read("Consent", "consentOf", consent=consent)["status"] == ACTIVE


def test_a_revocation_carries_nothing_but_the_nonce(lab: Lab) -> None:
    person = lab.resident()
    consent = lab.grant(person)
    terms = packed(nonce=1)
    text = message("consent-revoke", lab.domain("Consent"), person.id, consent, terms)
    args = {"subject": person.id, "consent": consent, "packed": terms, **rs(crypto.sm2_sign(person.pair.private, text))}
    assert lab.reason("Consent", "revoke", **args) == "ReservedBits"


def test_a_refused_call_spends_no_nonce(lab: Lab) -> None:
    person, (consent, commitment) = lab.resident(), words()
    bad = signed_grant(lab, person, consent, commitment, packed(), signer=Person())
    assert lab.reason("Consent", "grant", **bad) == "BadSignature"
    assert lab.read("Consent", "nonceOf", subject=person.id) == 0


def test_the_old_key_grants_no_more(lab: Lab) -> None:
    person, new = lab.resident(), crypto.sm2_generate()
    old = Person(person.id, person.pair)
    where = lab.domain("Identity")
    signed = message("key-rotate", where, person.id, new.public[:32], new.public[32:], 0)
    possession = message("key-bind", where, person.id, new.public[:32], new.public[32:])
    signature = crypto.sm2_sign(person.pair.private, signed)
    lab.send(
        "Identity", "rotateKey", subject=person.id, x=new.public[:32], y=new.public[32:],
        signature=signature, possession=crypto.sm2_sign(new.private, possession),
    )  # fmt: skip
    assert lab.reason("Consent", "grant", **lab.granting(old, *words())) == "BadSignature"
    person.pair = new
    lab.send("Consent", "grant", **lab.granting(person, *words()))


def test_uses_are_spent_in_order_and_never_twice(lab: Lab) -> None:
    person, seed = lab.resident(), secrets.token_bytes(32)
    consent = lab.grant(person, uses=3, consent=consent_id(seed, 3))
    shown = [use_preimage(seed, 3, k) for k in (1, 2, 3)]
    assert lab.reason("Consent", "spend", consent=consent, preimage=shown[1]) == "WrongPreimage"
    assert lab.reason("Consent", "spend", consent=consent, preimage=secrets.token_bytes(32)) == "WrongPreimage"
    for use, preimage in enumerate(shown, 1):
        ((name, event),) = lab.send("Consent", "spend", consent=consent, preimage=preimage)
        assert (name, event) == ("ConsentSpent", {"consent": consent, "uses": use, "by": lab.first.id})
        if use < 3:
            assert lab.reason("Consent", "spend", consent=consent, preimage=preimage) == "WrongPreimage"
    for preimage in shown:
        assert lab.reason("Consent", "spend", consent=consent, preimage=preimage) == "UsesExhausted"
    assert lab.read("Consent", "consentOf", consent=consent)["uses"] == 3


def test_spending_needs_a_member_a_use_limit_and_a_consent_in_force(lab: Lab) -> None:
    from eth_account import Account

    person, seed, now = lab.resident(), secrets.token_bytes(32), lab.time()
    unlimited = lab.grant(person, consent=consent_id(seed, 0))
    assert lab.reason("Consent", "spend", consent=unlimited, preimage=seed) == "UsesExhausted"
    seed = secrets.token_bytes(32)
    limited = lab.grant(person, uses=1, consent=consent_id(seed, 1))
    assert lab.reason("Consent", "spend", Account.create(), consent=limited, preimage=seed) == "NotAMember"
    lab.send("Consent", "revoke", **lab.revoking(person, limited))
    assert lab.reason("Consent", "spend", consent=limited, preimage=seed) == "ConsentNotActive"
    seed = secrets.token_bytes(32)
    later = lab.grant(person, not_before=now + 10**7, uses=1, consent=consent_id(seed, 1))
    assert lab.reason("Consent", "spend", consent=later, preimage=seed) == "OutsidePeriod"
    lab.wait(10**7 + 60)
    lab.send("Consent", "spend", consent=later, preimage=seed)


def test_spending_ends_with_the_period(lab: Lab) -> None:
    person, seed = lab.resident(), secrets.token_bytes(32)
    consent = lab.grant(person, not_after=lab.time() + 100, uses=1, consent=consent_id(seed, 1))
    lab.wait(200)
    assert lab.reason("Consent", "spend", consent=consent, preimage=seed) == "OutsidePeriod"
