"""/consents."""

from __future__ import annotations

from gateway.consent import lists, preview, service
from gateway.consent.schemas import (
    ConsentOut,
    ConsentPage,
    GrantIn,
    NonceOut,
    PrepareIn,
    PrepareOut,
    PreviewIn,
    PreviewOut,
    RevokeIn,
    SealedArtefact,
)
from gateway.deps import Ctx
from gateway.http import guard, router
from gateway.identity.caller import ORGANISATION, PRACTITIONER, RESIDENT
from gateway.operation.schemas import Accepted
from gateway.types import Cursor, Word

routes = router("consents", "/consents")


@routes.post("/prepare", **guard(RESIDENT, read=True))
def prepare(ctx: Ctx, body: PrepareIn) -> PrepareOut:
    """What the client needs to sign and seal this scope."""
    return service.prepare(ctx, body.scope)


@routes.post("/preview", **guard(RESIDENT, read=True))
def preview_scope(ctx: Ctx, body: PreviewIn) -> PreviewOut:
    """What this scope would open, over the resident's real records."""
    return preview.preview(ctx, body)


@routes.post("", status_code=202, **guard(RESIDENT))
def grant(ctx: Ctx, body: GrantIn) -> Accepted:
    """Submit a signed grant."""
    return service.grant(ctx, body)


@routes.post("/amendments", status_code=202, **guard(RESIDENT))
def amend(ctx: Ctx, body: GrantIn) -> Accepted:
    """Submit a signed amendment."""
    return service.amend(ctx, body)


@routes.post("/revocations", status_code=202, **guard(RESIDENT))
def revoke(ctx: Ctx, body: RevokeIn) -> Accepted:
    """Submit a signed revocation."""
    return service.revoke(ctx, body)


@routes.get("", **guard(RESIDENT))
def own(ctx: Ctx, cursor: Cursor | None = None) -> ConsentPage:
    """The resident's consents as they stand on the ledger."""
    return lists.own(ctx, cursor)


@routes.get("/nonce", **guard(RESIDENT))
def nonce(ctx: Ctx) -> NonceOut:
    """Domain and nonce of the caller's next signed act (a revocation needs nothing else)."""
    return service.next_act(ctx)


@routes.get("/received", **guard(PRACTITIONER, ORGANISATION))
def received(ctx: Ctx, subject: Word | None = None) -> ConsentPage:
    """Consents sealed for the caller or the caller's organisation."""
    return lists.received(ctx, subject)


@routes.get("/{consent}", **guard(RESIDENT, PRACTITIONER, ORGANISATION))
def one(ctx: Ctx, consent: Word) -> ConsentOut:
    """One consent, for those it is sealed for."""
    return lists.one(ctx, consent)


@routes.get("/{consent}/artefact", **guard(RESIDENT, PRACTITIONER, ORGANISATION))
def artefact(ctx: Ctx, consent: Word) -> SealedArtefact:
    """The sealed artefact, for those it is sealed for."""
    return lists.artefact(ctx, consent)
