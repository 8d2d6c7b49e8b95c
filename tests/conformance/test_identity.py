"""C050 – C069: residents' keys, practitioners' credentials."""

from __future__ import annotations

import secrets

import pytest

from core import crypto
from core.messages import KeyBind, KeyRotate
from core.words import kind_word
from gateway.ledger.port import Call
from tests.conformance.refusals import name_of, refused, with_args
from tests.support.world import DAY, Practitioner, Resident, World

FLIPPED = bytes(63) + b"\1"


def flip(signature: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(signature, FLIPPED, strict=True))


def unbound(world: World) -> Resident:
    return Resident(world.new_subject(), crypto.sm2_generate())


def possession(world: World, subject: bytes, keys: crypto.KeyPair) -> bytes:
    return crypto.sm2_sign(keys.private, KeyBind(world.domain("Identity"), subject, keys.public).pack())


def nonce(world: World, resident: Resident) -> int:
    found: int = world.ledger.read(Call("Identity", "nonceOf", {"subject": resident.subject}))
    return found


def rotation(world: World, resident: Resident, new: crypto.KeyPair, signer: bytes | None = None) -> Call:
    message = KeyRotate(world.domain("Identity"), resident.subject, new.public, nonce(world, resident)).pack()
    args = {"subject": resident.subject, "x": new.public[:32], "y": new.public[32:]}
    signature = crypto.sm2_sign(signer or resident.keys.private, message)
    return Call("Identity", "rotateKey", {**args, "signature": signature, "possession": possession(world, resident.subject, new)})


def signed_words(world: World, kind: str, resident: Resident, public: bytes, signer: bytes) -> bytes:
    head = kind_word(kind) + world.domain("Identity") + resident.subject + public
    return crypto.sm2_sign(signer, head + nonce(world, resident).to_bytes(32, "big"))


def recovery(world: World, resident: Resident, new: crypto.KeyPair) -> Call:
    registrar = world.operator
    attestation = signed_words(world, "healthtrust/key-recover/v1", resident, new.public, registrar.sm2.private)
    args = {"subject": resident.subject, "x": new.public[:32], "y": new.public[32:], "registrar": registrar.id}
    shown = possession(world, resident.subject, new)
    return Call("Identity", "requestRecovery", {**args, "possession": shown, "attestation": attestation})


def key_of(world: World, resident: Resident) -> bytes:
    found = world.ledger.read(Call("Identity", "keyOf", {"subject": resident.subject}))
    return bytes(found["x"] + found["y"])


def test_c050_a_bound_key_is_the_subjects(common: World) -> None:
    resident = unbound(common)
    outcome = common.send((common.operator, common.binding(resident)))[0]
    (event,) = outcome.events
    assert (event.name, event.args["version"], event.args["registrar"]) == ("KeyBound", 1, common.operator.id)
    found = common.ledger.read(Call("Identity", "keyOf", {"subject": resident.subject}))
    assert (found["x"] + found["y"], found["status"], found["version"]) == (resident.keys.public, 1, 1)
    nobody = common.ledger.read(Call("Identity", "keyOf", {"subject": common.new_subject()}))
    assert nobody == {"x": bytes(32), "y": bytes(32), "z": bytes(32), "status": 0, "version": 0}


def test_c051_a_bound_subject_is_not_bound_again(common: World) -> None:
    resident = common.resident()
    other = Resident(resident.subject, crypto.sm2_generate())
    assert refused(common, common.operator, common.binding(other)) == f"KeyExists(0x{resident.subject.hex()})"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("possession", "BadSignature"), ("attestation", "BadSignature"), ("short", "BadSignatureLength(63)"),
        ("long", "BadSignatureLength(65)"), ("subject", "BadSignature"), ("zero", "ZeroValue"), ("curve", "KeyOffCurve"),
        ("registrar", "NotRegistrar"), ("unknown registrar", "NotRegistrar"),
    ],
)  # fmt: skip
def test_c052_nothing_in_a_binding_can_be_changed(common: World, change: str, error: str) -> None:
    call = common.binding(unbound(common))
    changes = {
        "possession": {"possession": flip(call.args["possession"])},
        "attestation": {"attestation": flip(call.args["attestation"])},
        "short": {"possession": call.args["possession"][:63]},
        "long": {"possession": call.args["possession"] + b"\0"},
        "subject": {"subject": common.new_subject()},
        "zero": {"subject": bytes(32)},
        "curve": {"y": call.args["x"]},
        "registrar": {"registrar": common.hospital.id},
        "unknown registrar": {"registrar": b"\7" * 32},
    }[change]
    assert refused(common, common.operator, with_args(call, **changes)).startswith(error)


def test_c053_a_stranger_relays_no_binding_a_member_does(common: World) -> None:
    from tests.conformance.test_alliance import newcomer

    resident = unbound(common)
    assert name_of(refused(common, newcomer(common), common.binding(resident))) == "NotAMember"
    common.send((common.hospital, common.binding(resident)))


def test_c054_a_key_is_handed_over_by_the_old_one_once(common: World) -> None:
    resident, new = common.resident(), crypto.sm2_generate()
    call = rotation(common, resident, new)
    outcome = common.send((common.operator, call))[0]
    assert [(e.name, e.args["version"]) for e in outcome.events] == [("KeyRotated", 2)]
    assert key_of(common, resident) == new.public
    assert nonce(common, resident) == 1
    assert refused(common, common.operator, call) == f"SameKey(0x{resident.subject.hex()})"
    back = rotation(common, resident, resident.keys, new.private)
    common.send((common.operator, back))
    assert name_of(refused(common, common.operator, call)) == "BadSignature"


def test_c055_nobody_else_hands_over_a_key(common: World) -> None:
    resident, new = common.resident(), crypto.sm2_generate()
    for signer in (new.private, common.operator.sm2.private):
        assert name_of(refused(common, common.operator, rotation(common, resident, new, signer))) == "BadSignature"
    missing = with_args(rotation(common, resident, new), possession=possession(common, resident.subject, resident.keys))
    assert name_of(refused(common, common.operator, missing)) == "BadSignature"


def test_c056_who_has_no_key_has_none_to_hand_over(common: World) -> None:
    stranger = unbound(common)
    assert name_of(refused(common, common.operator, rotation(common, stranger, crypto.sm2_generate()))) == "NoKey"


def test_c057_a_recovery_waits_and_shows(common: World) -> None:
    resident, new = common.resident(), crypto.sm2_generate()
    outcome = common.send((common.operator, recovery(common, resident, new)))[0]
    (event,) = outcome.events
    block = common.ledger.block(outcome.height or 0)
    assert block is not None
    assert (
        event.args["executableAt"] == block.time + common.ledger.read(Call("Identity", "RECOVERY_DELAY")) == block.time + 7 * DAY
    )
    pending = common.ledger.read(Call("Identity", "recoveryOf", {"subject": resident.subject}))
    assert (pending["x"] + pending["y"], pending["registrar"]) == (new.public, common.operator.id)
    early = Call("Identity", "recoverKey", {"subject": resident.subject})
    assert refused(common, common.operator, early) == f"TooEarly({event.args['executableAt']})"
    assert key_of(common, resident) == resident.keys.public
    assert name_of(refused(common, common.operator, recovery(common, resident, crypto.sm2_generate()))) == "RecoveryPending"


def test_c058_the_old_key_vetoes_a_recovery(common: World) -> None:
    resident, new = common.resident(), crypto.sm2_generate()
    common.send((common.operator, recovery(common, resident, new)))
    wrong = signed_words(common, "healthtrust/key-veto/v1", resident, new.public, new.private)
    veto = Call("Identity", "vetoRecovery", {"subject": resident.subject, "signature": wrong})
    assert name_of(refused(common, common.operator, veto)) == "BadSignature"
    right = signed_words(common, "healthtrust/key-veto/v1", resident, new.public, resident.keys.private)
    outcome = common.send((common.operator, with_args(veto, signature=right)))[0]
    assert [e.name for e in outcome.events] == ["RecoveryVetoed"]
    assert (
        name_of(refused(common, common.operator, Call("Identity", "recoverKey", {"subject": resident.subject}))) == "NoRecovery"
    )
    assert name_of(refused(common, common.operator, with_args(veto, signature=right))) == "NoRecovery"


def test_c059_a_rotation_ends_a_recovery(common: World) -> None:
    resident = common.resident()
    common.send((common.operator, recovery(common, resident, crypto.sm2_generate())))
    outcome = common.send((common.operator, rotation(common, resident, crypto.sm2_generate())))[0]
    assert [e.name for e in outcome.events] == ["RecoveryVetoed", "KeyRotated"]


def test_c060_a_recovery_needs_registrar_and_possession(common: World) -> None:
    resident, new = common.resident(), crypto.sm2_generate()
    call = recovery(common, resident, new)
    for changed in (
        with_args(call, attestation=flip(call.args["attestation"])),
        with_args(call, possession=flip(call.args["possession"])),
    ):
        assert name_of(refused(common, common.operator, changed)) == "BadSignature"
    assert name_of(refused(common, common.operator, with_args(call, registrar=common.hospital.id))) == "NotRegistrar"
    assert name_of(refused(common, common.operator, recovery(common, resident, resident.keys))) == "SameKey"


def person(world: World) -> Practitioner:
    return Practitioner(secrets.token_bytes(32), crypto.sm2_generate(), world.hospital, 0b11)


def test_c061_a_credential_says_what_was_issued(common: World) -> None:
    p, now = person(common), common.now()
    outcome = common.send((common.hospital, common.credential(p, now - 60, now + DAY)))[0]
    (event,) = outcome.events
    expected = {"organisation": common.hospital.id, "x": p.keys.public[:32], "y": p.keys.public[32:], "roles": 3}
    expected |= {"notBefore": now - 60, "notAfter": now + DAY}
    assert event.args == {**expected, "practitioner": p.id}
    assert common.ledger.read(Call("Identity", "credentialOf", {"practitioner": p.id})) == {**expected, "status": 1}


def test_c062_a_revoked_credential_is_revoked_and_may_be_issued_again(common: World) -> None:
    p = common.practitioner(common.hospital)
    revoke = common.dismissal(p)
    common.send((common.hospital, revoke))
    assert common.ledger.read(Call("Identity", "credentialOf", {"practitioner": p.id}))["status"] == 2
    assert name_of(refused(common, common.hospital, revoke)) == "NoCredential"
    common.send((common.hospital, common.credential(p, common.now() - 60, common.now() + DAY)))


def test_c063_only_the_issuer_revokes(common: World) -> None:
    p = common.practitioner(common.hospital)
    for other in (common.platform, common.operator):
        assert name_of(refused(common, other, common.dismissal(p, other))) == "CredentialHeld"


def test_c064_a_held_credential_is_not_taken_over_an_ended_one_only_with_the_same_key(common: World) -> None:
    p, now = common.practitioner(common.hospital), common.now()
    assert (
        name_of(refused(common, common.platform, common.credential(p, now - 60, now + DAY, common.platform))) == "CredentialHeld"
    )
    common.send((common.hospital, common.dismissal(p)))
    other = Practitioner(p.id, crypto.sm2_generate(), common.platform, 1)
    assert name_of(refused(common, common.platform, common.credential(other, now - 60, now + DAY))) == "KeyOfAnother"
    common.send((common.platform, common.credential(p, now - 60, now + DAY, common.platform)))


def test_c066_a_stolen_account_makes_and_dismisses_nobody(common: World) -> None:
    """Both acts carry the organisation's own signature, over every word, for once."""
    p, now = common.practitioner(common.hospital), common.now()
    theirs = Practitioner(p.id, crypto.sm2_generate(), common.hospital, 1)
    forged = common.credential(theirs, now - 60, now + DAY, common.platform)
    assert name_of(refused(common, common.hospital, forged)) == "BadSignature"
    assert name_of(refused(common, common.hospital, common.dismissal(p, common.platform))) == "BadSignature"
    good = common.credential(p, now - 60, now + DAY)
    x, y = theirs.keys.public[:32], theirs.keys.public[32:]
    for change in ({"x": x, "y": y}, {"roles": 2}, {"notAfter": now + 2 * DAY}, {"practitioner": common.new_subject()}):
        assert name_of(refused(common, common.hospital, with_args(good, **change))) == "BadSignature"
    common.send((common.hospital, good))
    assert name_of(refused(common, common.hospital, good)) == "BadSignature"
    dismissal = common.dismissal(p)
    common.send((common.hospital, dismissal))
    common.send((common.hospital, common.credential(p, now - 60, now + DAY)))
    assert name_of(refused(common, common.hospital, dismissal)) == "BadSignature"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"roles": 0}, "UnknownRoles(0)"), ({"roles": 256}, "UnknownRoles(256)"), ({"practitioner": bytes(32)}, "ZeroValue"),
        ({"x": b"\1" * 32}, "KeyOffCurve"), ({"notBefore": 9, "notAfter": 9}, "BadPeriod(9, 9)"),
        ({"notBefore": 1, "notAfter": 2}, "BadPeriod(1, 2)"), ({"notBefore": 2**64 - 1}, "BadPeriod"),
    ],
)  # fmt: skip
def test_c065_a_senseless_credential_is_refused(common: World, changes: dict[str, object], error: str) -> None:
    call = common.credential(person(common), common.now() - 60, common.now() + DAY)
    assert refused(common, common.hospital, with_args(call, **changes)).startswith(error)
