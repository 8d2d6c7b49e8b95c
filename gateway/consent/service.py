"""Granting, amending, revoking. The gateway only relays: the contract checks the subject's signature itself.

What would be refused there is refused here first, with words. What was granted to whom stays sealed: the gateway keeps bytes.
"""

from __future__ import annotations

from typing import Any

from core import crypto
from core.crypto.encoding import parse_signature
from core.hexes import to_bytes, to_hex
from core.messages import ConsentAmend, ConsentGrant, ConsentRevoke, Terms
from core.scope import Scope
from gateway import database
from gateway.alliance.service import active_custodians
from gateway.consent import repository
from gateway.consent.errors import (
    ArtefactMismatch,
    ConsentKnown,
    ConsentNotActive,
    KeyMissing,
    LinkNotServed,
    NotYourConsent,
    TermsRefused,
    WrongDomain,
    WrongNonce,
)
from gateway.consent.models import Consent, ConsentAct, ConsentRecipient
from gateway.consent.schemas import GrantIn, NonceOut, PrepareOut, RecipientOut, RevokeIn, SealedArtefact
from gateway.deps import Context
from gateway.identity.registry import ACTIVE
from gateway.ledger.port import Call
from gateway.operation import service as operations
from gateway.operation.schemas import Accepted
from gateway.problem import SignatureWrong

Signed = ConsentGrant | ConsentAmend | ConsentRevoke


def prepare(ctx: Context, document: dict[str, Any]) -> PrepareOut:
    """Domain, nonce, and whom to seal the artefact for."""
    scope = own_scope(ctx, document)
    return PrepareOut(
        domain=to_hex(ctx.gateway.domain("Consent")),
        nonce=next_nonce(ctx),
        ledger=to_hex(ctx.ledger.info().ledger_id),
        words=to_hex(scope.words()),
        recipients=_recipients(ctx, scope),
    )


def own_scope(ctx: Context, document: dict[str, Any]) -> Scope:
    """A scope document about the caller. Raises ScopeMalformed, NotYourConsent, LinkNotServed."""
    scope = Scope.from_document(document)
    if scope.subject != ctx.caller.word:
        raise NotYourConsent
    if scope.grantee.type == "link":
        raise LinkNotServed
    return scope


def next_nonce(ctx: Context) -> int:
    """The nonce the caller's next act must carry: the ledger's, or the one after acts on their way there."""
    held = int(ctx.read("Consent", "nonceOf", subject=ctx.caller.word))
    return max(held, repository.next_waiting_nonce(ctx.db, ctx.caller.word))


def next_act(ctx: Context) -> NonceOut:
    """Domain and nonce of the caller's next signed act."""
    return NonceOut(domain=to_hex(ctx.gateway.domain("Consent")), nonce=next_nonce(ctx))


def _recipients(ctx: Context, scope: Scope) -> list[RecipientOut]:
    """The subject, the grantee (person, organisation, or the organisation a role is bound to), every custodian named."""
    found = {scope.subject: RecipientOut(id=ctx.caller.id, kind="subject", publicKey=to_hex(ctx.caller.public))}
    grantee = scope.grantee
    if grantee.type == "practitioner":
        credential = ctx.registries.practitioner(grantee.id)
        if not credential.valid(ctx.now):
            raise KeyMissing
        found[grantee.id] = RecipientOut(id=to_hex(grantee.id), kind="practitioner", publicKey=to_hex(credential.public))
    organisations = set(active_custodians(ctx) if scope.custodians is None else scope.custodians)
    organisations |= {grantee.id} if grantee.type == "organisation" else set()
    organisations |= {grantee.organisation} if grantee.organisation else set()
    for id in sorted(organisations):
        member = ctx.registries.organisation(id)
        if member.status != ACTIVE:
            raise KeyMissing
        found[id] = RecipientOut(id=to_hex(id), kind="organisation", publicKey=to_hex(member.public))
    return list(found.values())


def grant(ctx: Context, body: GrantIn) -> Accepted:
    """Relay a signed grant."""
    message = ConsentGrant.parse(to_bytes(body.message, None))
    signature = _check(ctx, message, body.message, body.signature, message.terms.nonce)
    _check_new(ctx, message, body.artefact)
    args = _args(message, signature) | {"commitment": message.commitment, "packed": _packed(message.terms)}
    accepted = operations.store(ctx, "consent.grant", Call("Consent", "grant", args), to_hex(message.consent))
    _keep(ctx, message, body.artefact, accepted.operation.id)
    return _act(ctx, accepted, message, "grant", message.terms.nonce)


def amend(ctx: Context, body: GrantIn) -> Accepted:
    """Relay a signed amendment: a new consent in place of an old one."""
    message = ConsentAmend.parse(to_bytes(body.message, None))
    signature = _check(ctx, message, body.message, body.signature, message.terms.nonce)
    _check_new(ctx, message, body.artefact)
    _check_in_force(ctx, message.old)
    args = _args(message, signature) | {"commitment": message.commitment, "packed": _packed(message.terms)}
    call = Call("Consent", "amend", args | {"oldConsent": message.old})
    accepted = operations.store(ctx, "consent.amend", call, to_hex(message.consent))
    _keep(ctx, message, body.artefact, accepted.operation.id)
    return _act(ctx, accepted, message, "amend", message.terms.nonce, message.old)


def revoke(ctx: Context, body: RevokeIn) -> Accepted:
    """Relay a signed revocation."""
    message = ConsentRevoke.parse(to_bytes(body.message, None))
    signature = _check(ctx, message, body.message, body.signature, message.nonce)
    _check_in_force(ctx, message.consent)
    call = Call("Consent", "revoke", _args(message, signature) | {"packed": _packed(Terms(nonce=message.nonce))})
    accepted = operations.store(ctx, "consent.revoke", call, to_hex(message.consent))
    return _act(ctx, accepted, message, "revoke", message.nonce)


def _check(ctx: Context, message: Signed, packed: str, signature: str, nonce: int) -> bytes:
    """Everything the contract would refuse for. Returns r‖s."""
    if message.subject != ctx.caller.word:
        raise NotYourConsent
    if message.domain != ctx.gateway.domain("Consent"):
        raise WrongDomain
    raw = parse_signature(to_bytes(signature, None))
    if not crypto.sm2_verify(ctx.caller.public, to_bytes(packed, None), raw):
        raise SignatureWrong
    expected = next_nonce(ctx)
    if nonce != expected:
        raise WrongNonce(expected=expected)
    return raw


def _check_new(ctx: Context, message: ConsentGrant | ConsentAmend, sealed: SealedArtefact) -> None:
    terms = message.terms
    if not terms.not_before < terms.not_after:
        raise TermsRefused(detail="notBefore < notAfter")
    if terms.not_after <= ctx.now:
        raise TermsRefused(detail="notAfter")
    if sealed.consent != to_hex(message.consent) or all(r.id != ctx.caller.id for r in sealed.recipients):
        raise ArtefactMismatch
    if len({r.id for r in sealed.recipients}) != len(sealed.recipients):
        raise ArtefactMismatch
    known = ctx.db.get(Consent, message.consent)
    if ctx.read("Consent", "consentOf", consent=message.consent)["status"] or (known and not _failed(ctx, known)):
        raise ConsentKnown


def _failed(ctx: Context, row: Consent) -> bool:
    operation = operations.find(ctx.db, row.operation)
    return operation is not None and operation.state == "failed"


def _check_in_force(ctx: Context, consent: bytes) -> None:
    held = ctx.read("Consent", "consentOf", consent=consent)
    known = ctx.db.get(Consent, consent)
    on_its_way = held["status"] == 0 and known is not None and known.subject == ctx.caller.word and not _failed(ctx, known)
    if held["status"] != 1 and not on_its_way:
        raise ConsentNotActive
    if held["status"] == 1 and held["subject"] != ctx.caller.word:
        raise NotYourConsent


def _args(message: Signed, signature: bytes) -> dict[str, Any]:
    return {"subject": message.subject, "consent": message.consent, "r": signature[:32], "s": signature[32:]}


def _packed(terms: Terms) -> int:
    return int.from_bytes(terms.pack(), "big")


def _keep(ctx: Context, message: ConsentGrant | ConsentAmend, sealed: SealedArtefact, operation: str) -> None:
    terms = message.terms
    row = Consent(
        consent=message.consent,
        subject=message.subject,
        not_before=terms.not_before,
        not_after=terms.not_after,
        use_limit=terms.use_limit,
        operation=operation,
        created=ctx.now,
        position=database.position(),
        expiry_told=False,
        sealed=sealed.model_dump_json(),
    )
    ctx.db.merge(row)
    for recipient in sealed.recipients:
        ctx.db.merge(ConsentRecipient(recipient=to_bytes(recipient.id), consent=message.consent))


def _act(ctx: Context, accepted: Accepted, message: Signed, kind: str, nonce: int, old: bytes | None = None) -> Accepted:
    act = ConsentAct(
        operation=accepted.operation.id,
        subject=message.subject,
        consent=message.consent,
        old=old,
        kind=kind,
        nonce=nonce,
        created=ctx.now,
        told=False,
    )
    ctx.db.add(act)
    return accepted
