"""Practitioners' credentials: issued on the ledger by their own organisation, shown to patients with the organisation's
profile of them."""

from __future__ import annotations

from typing import Any

from core import crypto
from core.crypto.encoding import parse_public, parse_signature
from core.hexes import to_bytes, to_hex
from core.messages import CredentialIssue, CredentialRevoke
from core.vocabulary import ROLES
from gateway.deps import Context
from gateway.identity import repository
from gateway.identity.errors import CredentialUnknown
from gateway.identity.models import Profile
from gateway.identity.registry import Credential
from gateway.identity.schemas import CredentialIn, CredentialNonceOut, CredentialOut, DismissalIn, ProfileIn
from gateway.ledger.port import Call
from gateway.operation import service as operations
from gateway.operation.errors import NotOurOrganisation
from gateway.operation.schemas import Accepted
from gateway.problem import SignatureWrong


def credential(ctx: Context, practitioner: str) -> CredentialOut:
    """A practitioner; all zero where nobody credentialed them."""
    word = to_bytes(practitioner)
    return describe(ctx, word, ctx.registries.practitioner(word), repository.profile(ctx.db, word))


def credentials_of(ctx: Context, organisation: str) -> list[CredentialOut]:
    """Practitioners an organisation has profiled, with what the ledger says of each now."""
    rows = ctx.db.query(Profile).filter(Profile.organisation == to_bytes(organisation)).order_by(Profile.practitioner).limit(1000)
    return [describe(ctx, row.practitioner, ctx.registries.practitioner(row.practitioner), row) for row in rows]


def describe(ctx: Context, practitioner: bytes, found: Credential, profile: Any | None) -> CredentialOut:
    """What callers see of a practitioner. ``profile``: a :class:`Profile` or its columns; it counts only when it comes from the
    organisation that issued the credential."""
    own = profile if profile is not None and profile.organisation == found.organisation else None
    return CredentialOut(
        practitioner=to_hex(practitioner),
        organisation=to_hex(found.organisation),
        publicKey=to_hex(found.public) if found.status else None,
        roles=[t.code for t in ROLES.terms if found.roles >> t.n & 1],
        notBefore=found.not_before,
        notAfter=found.not_after,
        status=found.status,
        valid=found.valid(ctx.now),
        name=own.name if own else None,
        title=own.title if own else None,
        department=own.department if own else None,
    )


def issue(ctx: Context, body: CredentialIn) -> Accepted:
    """Relay a credential the calling organisation signed, with this gateway's own ledger account."""
    require_our_organisation(ctx)
    public, word, roles = parse_public(to_bytes(body.publicKey, None)), to_bytes(body.practitioner), ROLES.bits(body.roles)
    domain, nonce = ctx.gateway.domain("Identity"), _nonce(ctx, word)
    said = CredentialIssue(domain, ctx.caller.word, word, public, roles, body.notBefore, body.notAfter, nonce)
    args = {
        "practitioner": word,
        "x": public[:32],
        "y": public[32:],
        "roles": roles,
        "notBefore": body.notBefore,
        "notAfter": body.notAfter,
        "signature": _signed(ctx, said, body.signature),
    }
    return operations.store(ctx, "credential.issue", Call("Identity", "issueCredential", args), body.practitioner)


def revoke(ctx: Context, practitioner: str, body: DismissalIn) -> Accepted:
    """Relay the end of a credential our organisation issued."""
    require_our_organisation(ctx)
    word = to_bytes(practitioner)
    if ctx.registries.practitioner(word).organisation != ctx.caller.word:
        raise CredentialUnknown
    said = CredentialRevoke(ctx.gateway.domain("Identity"), ctx.caller.word, word, _nonce(ctx, word))
    args = {"practitioner": word, "signature": _signed(ctx, said, body.signature)}
    return operations.store(ctx, "credential.revoke", Call("Identity", "revokeCredential", args), practitioner)


def next_act(ctx: Context, practitioner: str) -> CredentialNonceOut:
    """Domain and nonce of the next signed act about a practitioner's credential."""
    return CredentialNonceOut(domain=to_hex(ctx.gateway.domain("Identity")), nonce=_nonce(ctx, to_bytes(practitioner)))


def _nonce(ctx: Context, practitioner: bytes) -> int:
    return int(ctx.read("Identity", "credentialNonceOf", practitioner=practitioner))


def _signed(ctx: Context, said: CredentialIssue | CredentialRevoke, signature: str) -> bytes:
    """r‖s of the calling organisation over these words, as the contract will check it."""
    raw = parse_signature(to_bytes(signature, None))
    if not crypto.sm2_verify(ctx.caller.public, said.pack(), raw):
        raise SignatureWrong
    return raw


def set_profile(ctx: Context, practitioner: str, body: ProfileIn) -> CredentialOut:
    """What patients see of a practitioner; said by the organisation that credentialed them."""
    word = to_bytes(practitioner)
    found = ctx.registries.practitioner(word)
    if found.status == 0 or found.organisation != ctx.caller.word:
        raise CredentialUnknown
    row = ctx.db.merge(Profile(practitioner=word, organisation=ctx.caller.word, **body.model_dump()))
    return describe(ctx, word, found, row)


def require_our_organisation(ctx: Context) -> None:
    """The gateway's ledger account can act for the organisation it belongs to, and for no other."""
    ours = ctx.read("Alliance", "organisationOf", account=ctx.ledger.info().account)
    if ours != ctx.caller.word:
        raise NotOurOrganisation
