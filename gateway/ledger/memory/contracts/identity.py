"""Identity: residents' keys and practitioners' credentials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from core.words import kind_word
from gateway.ledger.memory.contracts.common import REGISTRAR, ZERO, active_caller, is_key, member, pack, verify, z_of
from gateway.ledger.memory.contracts.members import ACTIVE
from gateway.ledger.memory.frame import Frame, Revert, external

NAME = "Identity"
RECOVERY_DELAY = 7 * 86_400
ROLES = 8
CREDENTIAL_ACTIVE, CREDENTIAL_REVOKED = 1, 2
BIND, ATTEST = kind_word("healthtrust/key-bind/v1"), kind_word("healthtrust/key-attest/v1")
ROTATE, RECOVER = kind_word("healthtrust/key-rotate/v1"), kind_word("healthtrust/key-recover/v1")
VETO = kind_word("healthtrust/key-veto/v1")
ISSUE, REVOKE = kind_word("healthtrust/credential-issue/v1"), kind_word("healthtrust/credential-revoke/v1")


@dataclass(frozen=True, slots=True)
class Key:
    x: bytes = ZERO
    y: bytes = ZERO
    version: int = 0
    nonce: int = 0


@dataclass(frozen=True, slots=True)
class Recovery:
    x: bytes = ZERO
    y: bytes = ZERO
    registrar: bytes = ZERO
    executable_at: int = 0


@dataclass(frozen=True, slots=True)
class Credential:
    organisation: bytes = ZERO
    x: bytes = ZERO
    y: bytes = ZERO
    roles: int = 0
    not_before: int = 0
    not_after: int = 0
    status: int = 0


@external(
    NAME, "bindKey(bytes32 subject, bytes32 x, bytes32 y, bytes possession, bytes32 registrar, bytes attestation) whenThawed"
)
def bind_key(f: Frame, subject: bytes, x: bytes, y: bytes, possession: bytes, registrar: bytes, attestation: bytes) -> None:
    active_caller(f)
    if subject == ZERO:
        raise Revert("ZeroValue")
    if key(f, subject).version:
        raise Revert("KeyExists", subject)
    _require_possession(f, subject, x, y, possession)
    _require_attestation(f, registrar, pack(ATTEST, f.facts.domain(NAME), subject, x, y), attestation)
    version = _set_key(f, subject, x, y)
    f.emit(NAME, "KeyBound", subject=subject, x=x, y=y, registrar=registrar, version=version)


@external(NAME, "rotateKey(bytes32 subject, bytes32 x, bytes32 y, bytes signature, bytes possession) whenThawed")
def rotate_key(f: Frame, subject: bytes, x: bytes, y: bytes, signature: bytes, possession: bytes) -> None:
    k = _keyed(f, subject)
    if (k.x, k.y) == (x, y):
        raise Revert("SameKey", subject)
    _require_signature(pack(ROTATE, f.facts.domain(NAME), subject, x, y, k.nonce), signature, k.x, k.y)
    _require_possession(f, subject, x, y, possession)
    _count(f, subject)
    if recovery(f, subject).executable_at:
        _veto(f, subject)
    f.emit(NAME, "KeyRotated", subject=subject, x=x, y=y, version=_set_key(f, subject, x, y))


@external(
    NAME,
    "requestRecovery(bytes32 subject, bytes32 x, bytes32 y, bytes possession, bytes32 registrar, bytes attestation) whenThawed",
)
def request_recovery(
    f: Frame, subject: bytes, x: bytes, y: bytes, possession: bytes, registrar: bytes, attestation: bytes
) -> None:
    active_caller(f)
    k = _keyed(f, subject)
    if recovery(f, subject).executable_at:
        raise Revert("RecoveryPending", subject)
    if (k.x, k.y) == (x, y):
        raise Revert("SameKey", subject)
    _require_possession(f, subject, x, y, possession)
    _require_attestation(f, registrar, pack(RECOVER, f.facts.domain(NAME), subject, x, y, k.nonce), attestation)
    _count(f, subject)
    at = f.time + RECOVERY_DELAY
    f.put(NAME, "recovery", subject, value=Recovery(x, y, registrar, at))
    f.emit(NAME, "RecoveryRequested", subject=subject, x=x, y=y, registrar=registrar, executableAt=at)


@external(NAME, "vetoRecovery(bytes32 subject, bytes signature)")
def veto_recovery(f: Frame, subject: bytes, signature: bytes) -> None:
    pending = _pending(f, subject)
    k = key(f, subject)
    _require_signature(pack(VETO, f.facts.domain(NAME), subject, pending.x, pending.y, k.nonce), signature, k.x, k.y)
    _count(f, subject)
    _veto(f, subject)


@external(NAME, "recoverKey(bytes32 subject) whenThawed")
def recover_key(f: Frame, subject: bytes) -> None:
    pending = _pending(f, subject)
    if f.time < pending.executable_at:
        raise Revert("TooEarly", pending.executable_at)
    f.put(NAME, "recovery", subject, value=Recovery())
    version = _set_key(f, subject, pending.x, pending.y)
    f.emit(NAME, "KeyRecovered", subject=subject, x=pending.x, y=pending.y, version=version)


@external(
    NAME,
    "issueCredential(bytes32 practitioner, bytes32 x, bytes32 y, uint32 roles, uint64 notBefore, uint64 notAfter,"
    " bytes signature) whenThawed",
)
def issue_credential(
    f: Frame, practitioner: bytes, x: bytes, y: bytes, roles: int, not_before: int, not_after: int, signature: bytes
) -> None:
    issuer = active_caller(f)
    if practitioner == ZERO:
        raise Revert("ZeroValue")
    if roles == 0 or roles >> ROLES:
        raise Revert("UnknownRoles", roles)
    if not_before >= not_after or not_after <= f.time:
        raise Revert("BadPeriod", not_before, not_after)
    if not is_key(x, y):
        raise Revert("KeyOffCurve", x, y)
    _require_transferable(f, practitioner, issuer, x, y)
    _require_issuer(f, ISSUE, issuer, practitioner, signature, x, y, roles, not_before, not_after)
    issued = Credential(issuer, x, y, roles, not_before, not_after, CREDENTIAL_ACTIVE)
    f.put(NAME, "credential", practitioner, value=issued)
    args = {"practitioner": practitioner, "organisation": issuer, "x": x, "y": y, "roles": roles}
    f.emit(NAME, "CredentialIssued", **args, notBefore=not_before, notAfter=not_after)


@external(NAME, "revokeCredential(bytes32 practitioner, bytes signature)")
def revoke_credential(f: Frame, practitioner: bytes, signature: bytes) -> None:
    issuer = active_caller(f)
    c = credential(f, practitioner)
    if c.status != CREDENTIAL_ACTIVE:
        raise Revert("NoCredential", practitioner)
    if c.organisation != issuer:
        raise Revert("CredentialHeld", practitioner, c.organisation)
    _require_issuer(f, REVOKE, issuer, practitioner, signature)
    f.put(NAME, "credential", practitioner, value=replace(c, status=CREDENTIAL_REVOKED))
    f.emit(NAME, "CredentialRevoked", practitioner=practitioner, organisation=issuer)


@external(NAME, "keyOf(bytes32 subject)")
def key_of(f: Frame, subject: bytes) -> dict[str, Any]:
    k = key(f, subject)
    z = z_of(k.x, k.y) if k.version else ZERO
    return {"x": k.x, "y": k.y, "z": z, "status": int(k.version > 0), "version": k.version}


@external(NAME, "nonceOf(bytes32 subject)")
def nonce_of(f: Frame, subject: bytes) -> int:
    return key(f, subject).nonce


@external(NAME, "recoveryOf(bytes32 subject)")
def recovery_of(f: Frame, subject: bytes) -> dict[str, Any]:
    r = recovery(f, subject)
    return {"x": r.x, "y": r.y, "registrar": r.registrar, "executableAt": r.executable_at}


@external(NAME, "credentialOf(bytes32 practitioner)")
def credential_of(f: Frame, practitioner: bytes) -> dict[str, Any]:
    c = credential(f, practitioner)
    return {"organisation": c.organisation, "x": c.x, "y": c.y, "roles": c.roles, **_validity(c)}


@external(NAME, "credentialState(bytes32 practitioner)")
def credential_state(f: Frame, practitioner: bytes) -> dict[str, Any]:
    c = credential(f, practitioner)
    return {"organisation": c.organisation, "roles": c.roles, **_validity(c)}


@external(NAME, "credentialNonceOf(bytes32 practitioner)")
def credential_nonce_of(f: Frame, practitioner: bytes) -> int:
    return f.get(NAME, "credential nonce", practitioner) or 0


@external(NAME, "RECOVERY_DELAY()")
def recovery_delay(_: Frame) -> int:
    return RECOVERY_DELAY


@external(NAME, "domain()")
def domain(f: Frame) -> bytes:
    return f.facts.domain(NAME)


def key(f: Frame, subject: bytes) -> Key:
    """A subject's key; the empty one where there is none."""
    return f.get(NAME, "key", subject) or Key()


def recovery(f: Frame, subject: bytes) -> Recovery:
    """A subject's pending recovery; the empty one where there is none."""
    return f.get(NAME, "recovery", subject) or Recovery()


def credential(f: Frame, practitioner: bytes) -> Credential:
    """A practitioner's credential; the empty one where there is none."""
    return f.get(NAME, "credential", practitioner) or Credential()


def require_signature(x: bytes, y: bytes, message: bytes, signature: bytes, *blame: Any) -> None:
    """Refuse with BadSignature(blame), or by length."""
    if len(signature) != 64:
        raise Revert("BadSignatureLength", len(signature))
    if not verify(x, y, message, signature[:32], signature[32:])[0]:
        raise Revert("BadSignature", *blame)


def _validity(c: Credential) -> dict[str, int]:
    return {"notBefore": c.not_before, "notAfter": c.not_after, "status": c.status}


def _keyed(f: Frame, subject: bytes) -> Key:
    k = key(f, subject)
    if not k.version:
        raise Revert("NoKey", subject)
    return k


def _pending(f: Frame, subject: bytes) -> Recovery:
    pending = recovery(f, subject)
    if not pending.executable_at:
        raise Revert("NoRecovery", subject)
    return pending


def _count(f: Frame, subject: bytes) -> None:
    k = key(f, subject)
    f.put(NAME, "key", subject, value=replace(k, nonce=k.nonce + 1))


def _set_key(f: Frame, subject: bytes, x: bytes, y: bytes) -> int:
    k = key(f, subject)
    f.put(NAME, "key", subject, value=replace(k, x=x, y=y, version=k.version + 1))
    return k.version + 1


def _veto(f: Frame, subject: bytes) -> None:
    pending = recovery(f, subject)
    f.put(NAME, "recovery", subject, value=Recovery())
    f.emit(NAME, "RecoveryVetoed", subject=subject, x=pending.x, y=pending.y)


def _require_possession(f: Frame, subject: bytes, x: bytes, y: bytes, signature: bytes) -> None:
    if not is_key(x, y):
        raise Revert("KeyOffCurve", x, y)
    _require_signature(pack(BIND, f.facts.domain(NAME), subject, x, y), signature, x, y)


def _require_attestation(f: Frame, registrar: bytes, message: bytes, signature: bytes) -> None:
    o = member(f, registrar)
    if o.status != ACTIVE or not o.roles & REGISTRAR:
        raise Revert("NotRegistrar", registrar)
    _require_signature(message, signature, o.x, o.y)


def _require_issuer(f: Frame, kind: bytes, issuer: bytes, practitioner: bytes, signature: bytes, *words: bytes | int) -> None:
    """The organisation itself, not only whoever holds its ledger account."""
    nonce = credential_nonce_of(f, practitioner)
    f.put(NAME, "credential nonce", practitioner, value=nonce + 1)
    o = member(f, issuer)
    _require_signature(pack(kind, f.facts.domain(NAME), issuer, practitioner, *words, nonce), signature, o.x, o.y)


def _require_signature(message: bytes, signature: bytes, x: bytes, y: bytes) -> None:
    require_signature(x, y, message, signature, message[:32])


def _require_transferable(f: Frame, practitioner: bytes, issuer: bytes, x: bytes, y: bytes) -> None:
    c = credential(f, practitioner)
    if not c.status or c.organisation == issuer:
        return
    if c.status != CREDENTIAL_REVOKED and f.time < c.not_after:
        raise Revert("CredentialHeld", practitioner, c.organisation)
    if (c.x, c.y) != (x, y):
        raise Revert("KeyOfAnother", practitioner)
