"""The alliance and its members: facts from the ledger, public words from the members, changes by votes on the ledger."""

from __future__ import annotations

from core import crypto
from core.canonical import nfc
from core.crypto.encoding import parse_public, parse_signature
from core.errors import NotFound
from core.hexes import to_bytes, to_hex
from core.ids import organisation_id
from gateway.alliance.errors import ProfileMismatch
from gateway.alliance.models import OrganisationProfile
from gateway.alliance.schemas import (
    ROLE_NAMES,
    STATUS,
    AllianceNonceOut,
    AllianceOut,
    InviteIn,
    MoveIn,
    OrganisationOut,
    ProfileIn,
    ProposalOut,
    VoteIn,
)
from gateway.deps import Context
from gateway.identity.credentials import require_our_organisation
from gateway.identity.registry import ACTIVE, CUSTODIAN
from gateway.ledger import actions, membership
from gateway.ledger.port import Call
from gateway.ledger.reasons import LedgerError, Reason
from gateway.operation import service as operations
from gateway.operation.schemas import Accepted
from gateway.problem import SignatureWrong

_MOVES = {"suspend": actions.suspend, "restore": actions.restore, "expel": actions.expel}


def alliance(ctx: Context) -> AllianceOut:
    """The alliance."""
    name, governance, active = ctx.ledger.read_many([Call("Alliance", m) for m in ("name", "governance", "activeMembers")])
    return AllianceOut(
        name=name,
        ledger=to_hex(ctx.ledger.info().ledger_id),
        numerator=governance["numerator"],
        denominator=governance["denominator"],
        activeMembers=active,
    )


def organisations(ctx: Context) -> list[OrganisationOut]:
    """All members there ever were, in order of invitation."""
    return describe(ctx, ctx.gateway.members.ids())


def organisation(ctx: Context, id: str) -> OrganisationOut:
    """One member."""
    found = describe(ctx, [to_bytes(id)])[0]
    if found.status == "none":
        raise NotFound
    return found


def active_custodians(ctx: Context) -> list[bytes]:
    """Custodians that may serve now: who "all custodians" means in a consent signed now."""
    ids = ctx.gateway.members.ids()
    return [i for i in ids if ctx.registries.organisation(i).status == ACTIVE and ctx.registries.organisation(i).has(CUSTODIAN)]


def describe(ctx: Context, ids: list[bytes]) -> list[OrganisationOut]:
    """What callers see of members; one round trip to the ledger."""
    states = ctx.ledger.read_many([Call("Alliance", "organisation", {"id": i}) for i in ids]) if ids else []
    return [_describe(ctx, i, state, _profile(ctx, i)) for i, state in zip(ids, states, strict=True)]


def _profile(ctx: Context, id: bytes) -> OrganisationProfile | None:
    found = ctx.db.get(OrganisationProfile, id)
    if found is not None:
        return found
    own = next((g for g in ctx.settings.gates if organisation_id(g.code) == id), None)
    return OrganisationProfile(organisation=id, code=own.code, name=own.name, gate=own.public_url) if own else None


def _describe(ctx: Context, id: bytes, state: dict[str, object], profile: OrganisationProfile | None) -> OrganisationOut:
    roles = int(str(state["roles"]))
    true = profile if profile is not None and name_digest(profile.name) == state["nameDigest"] else None
    status = STATUS[int(str(state["status"]))]
    return OrganisationOut(
        id=to_hex(id),
        code=true.code if true else None,
        name=true.name if true else None,
        status=status,
        active=status == "active",
        custodian=bool(roles >> CUSTODIAN & 1),
        roles=[name for bit, name in enumerate(ROLE_NAMES) if roles >> bit & 1],
        publicKey="0x" + bytes(state["x"] + state["y"]).hex() if status != "none" else None,  # type: ignore[operator]
        gate=true.gate if true else None,
        joinedAt=int(str(state["joinedAt"])),
    )


def name_digest(name: str) -> bytes:
    """SM3 of a member's public name, as the ledger holds it."""
    return crypto.sm3(nfc(name).encode())


def set_profile(ctx: Context, body: ProfileIn) -> OrganisationOut:
    """A member says its code, name and gate; code and name must be those the ledger knows the digests of."""
    member = ctx.registries.organisation(ctx.caller.word)
    if organisation_id(body.code) != ctx.caller.word or name_digest(body.name) != member.name_digest:
        raise ProfileMismatch
    ctx.db.merge(OrganisationProfile(organisation=ctx.caller.word, **body.model_dump()))
    ctx.db.flush()
    return describe(ctx, [ctx.caller.word])[0]


def invite(ctx: Context, body: InviteIn) -> Accepted:
    """Propose a new member, in the name of our own organisation."""
    require_our_organisation(ctx)
    public, id = parse_public(to_bytes(body.publicKey, None)), organisation_id(body.code)
    roles = sum(1 << ROLE_NAMES.index(r) for r in set(body.roles))
    ctx.db.merge(OrganisationProfile(organisation=id, code=body.code, name=body.name, gate=None))
    call = actions.invite(id, name_digest(body.name), roles, public, body.account)
    return operations.store(ctx, "alliance.invite", _proposed(ctx, call, body.signature), to_hex(id))


def move(ctx: Context, id: str, body: MoveIn) -> Accepted:
    """Propose to suspend, restore or expel a member."""
    require_our_organisation(ctx)
    call = _proposed(ctx, _MOVES[body.action](to_bytes(id)), body.signature)
    return operations.store(ctx, f"alliance.{body.action}", call, id)


def vote(ctx: Context, body: VoteIn) -> Accepted:
    """Vote for an open proposal."""
    require_our_organisation(ctx)
    proposal(ctx, body.proposal)
    call = actions.vote(body.proposal)
    words = membership.vote_words(ctx.ledger, ctx.caller.word, call)
    return operations.store(ctx, "alliance.vote", _signed(ctx, call, words, body.signature))


def next_proposal(ctx: Context) -> AllianceNonceOut:
    """Domain and nonce of our organisation's next proposal."""
    nonce = int(ctx.read("Alliance", "keyOf", id=ctx.caller.word)["nonce"])
    return AllianceNonceOut(domain=to_hex(ctx.gateway.domain("Alliance")), nonce=nonce)


def proposal(ctx: Context, number: int) -> ProposalOut:
    """What a proposal would do. Raises NotFound."""
    try:
        held = ctx.read("Alliance", "proposalOf", proposal=number)
    except LedgerError as error:
        if error.reason is Reason.REJECTED:
            raise NotFound from error
        raise
    return ProposalOut(
        proposal=number,
        action=held["action"],
        args=to_hex(held["args"]),
        expires=held["expires"],
        executed=held["executed"],
        voters=[to_hex(v) for v in held["voters"]],
    )


def _proposed(ctx: Context, call: Call, signature: str) -> Call:
    return _signed(ctx, call, membership.proposal_words(ctx.ledger, ctx.caller.word, call), signature)


def _signed(ctx: Context, call: Call, words: bytes, signature: str) -> Call:
    """The call with the calling organisation's signature over these words, as the contract will check it."""
    raw = parse_signature(to_bytes(signature, None))
    if not crypto.sm2_verify(ctx.caller.public, words, raw):
        raise SignatureWrong
    return membership.with_signature(call, raw)
