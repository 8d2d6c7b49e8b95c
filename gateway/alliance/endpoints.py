"""/alliance and /organisations."""

from __future__ import annotations

from gateway.alliance import service
from gateway.alliance.schemas import (
    AllianceNonceOut,
    AllianceOut,
    InviteIn,
    MoveIn,
    OrganisationOut,
    ProfileIn,
    ProposalOut,
    VoteIn,
)
from gateway.deps import Ctx
from gateway.http import guard, router
from gateway.identity.caller import ANYONE_KNOWN, ORGANISATION
from gateway.operation.schemas import Accepted
from gateway.types import Uint, Word

routes = router("alliance", "/alliance")
organisation_routes = router("organisations", "/organisations")


@routes.get("", **guard(*ANYONE_KNOWN))
def alliance(ctx: Ctx) -> AllianceOut:
    """The alliance and how it decides."""
    return service.alliance(ctx)


@routes.get("/nonce", **guard(ORGANISATION))
def nonce(ctx: Ctx) -> AllianceNonceOut:
    """Domain and nonce of our organisation's next proposal."""
    return service.next_proposal(ctx)


@routes.get("/proposals/{proposal}", **guard(ORGANISATION))
def proposal(ctx: Ctx, proposal: Uint) -> ProposalOut:
    """What a proposal would do, and who voted for it."""
    return service.proposal(ctx, proposal)


@routes.post("/votes", status_code=202, **guard(ORGANISATION))
def vote(ctx: Ctx, body: VoteIn) -> Accepted:
    """Vote for an open proposal."""
    return service.vote(ctx, body)


@organisation_routes.get("", **guard(*ANYONE_KNOWN))
def organisations(ctx: Ctx) -> list[OrganisationOut]:
    """All members."""
    return service.organisations(ctx)


@organisation_routes.post("", status_code=202, **guard(ORGANISATION))
def invite(ctx: Ctx, body: InviteIn) -> Accepted:
    """Propose a new member."""
    return service.invite(ctx, body)


@organisation_routes.post("/profile", **guard(ORGANISATION))
def set_profile(ctx: Ctx, body: ProfileIn) -> OrganisationOut:
    """The calling member's code, name and gate."""
    return service.set_profile(ctx, body)


@organisation_routes.get("/{id}", **guard(*ANYONE_KNOWN))
def organisation(ctx: Ctx, id: Word) -> OrganisationOut:
    """One member."""
    return service.organisation(ctx, id)


@organisation_routes.post("/{id}/proposals", status_code=202, **guard(ORGANISATION))
def move(ctx: Ctx, id: Word, body: MoveIn) -> Accepted:
    """Propose to suspend, restore or expel a member."""
    return service.move(ctx, id, body)
