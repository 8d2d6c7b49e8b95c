"""/identities and /credentials."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from gateway.deps import Ctx
from gateway.http import guard, router
from gateway.identity import credentials, recovery, service
from gateway.identity.caller import ANYONE_KNOWN, OPEN, ORGANISATION, PRACTITIONER, RESIDENT, ROLE_REGISTRAR
from gateway.identity.schemas import (
    CredentialIn,
    CredentialNonceOut,
    CredentialOut,
    DirectoryIn,
    DirectoryOut,
    DismissalIn,
    EnrolmentIn,
    EnrolmentOut,
    KeyIn,
    LookupIn,
    LookupOut,
    PatientCodeOut,
    ProfileIn,
    RecoveryOut,
    RotationIn,
    SubjectKeyOut,
    VetoIn,
)
from gateway.operation.schemas import Accepted, OperationOut
from gateway.types import Word

routes = router("identities", "/identities")
credential_routes = router("credentials", "/credentials")


@routes.post("/enrolments", status_code=201, **guard(OPEN, key=False, cost=3))
def begin_enrolment(ctx: Ctx, body: EnrolmentIn) -> EnrolmentOut:
    """Open the health account, step one. One refusal for everything that is wrong."""
    return service.begin_enrolment(ctx, body)


@routes.post("/enrolments/{ticket}", status_code=202, **guard(OPEN))
def finish_enrolment(ctx: Ctx, ticket: Word, body: KeyIn) -> Accepted:
    """Open the health account, step two: bind the key made on the resident's own device."""
    return service.finish_enrolment(ctx, ticket, body)


@routes.get("/enrolments/{ticket}", **guard(OPEN))
def watch_enrolment(ctx: Ctx, ticket: Word, wait: Annotated[float, Query(ge=0, le=30)] = 0) -> OperationOut:
    """Where step two stands."""
    return service.watch_enrolment(ctx, ticket, wait)


@routes.post("/rotations", status_code=202, **guard(RESIDENT))
def rotate(ctx: Ctx, body: RotationIn) -> Accepted:
    """Change the resident's key."""
    return service.rotate(ctx, body)


@routes.get("/recoveries/{subject}", **guard(OPEN))
def pending_recovery(ctx: Ctx, subject: Word) -> RecoveryOut:
    """The key that waits to replace a subject's, as the ledger shows it to everybody."""
    return recovery.pending(ctx, subject)


@routes.post("/recoveries/veto", status_code=202, **guard(RESIDENT))
def veto_recovery(ctx: Ctx, body: VetoIn) -> Accepted:
    """Stop a recovery with the current key."""
    return recovery.veto(ctx, body)


@routes.post("/recoveries/{subject}/completion", status_code=202, **guard(OPEN))
def complete_recovery(ctx: Ctx, subject: Word) -> Accepted:
    """Finish a recovery after its delay (open: the person has no working key; rate-limited)."""
    return recovery.complete(ctx, subject)


@routes.post("/directory", **guard(ROLE_REGISTRAR))
def fill_directory(ctx: Ctx, body: DirectoryIn) -> DirectoryOut:
    """The registrar's intake: who may enrol."""
    return service.fill_directory(ctx, body)


@routes.post("/lookups", **guard(PRACTITIONER, cost=5))
def look_up(ctx: Ctx, body: LookupIn) -> LookupOut:
    """Find a patient; counted, kept as evidence, told to the patient."""
    return service.look_up(ctx, body)


@routes.post("/codes", status_code=201, **guard(RESIDENT, key=False))
def make_code(ctx: Ctx) -> PatientCodeOut:
    """A code to show to a doctor."""
    return service.make_code(ctx)


@routes.get("/{subject}/key", **guard(*ANYONE_KNOWN))
def key(ctx: Ctx, subject: Word) -> SubjectKeyOut:
    """A subject's key on the ledger."""
    return service.key(ctx, subject)


@credential_routes.get("", **guard(*ANYONE_KNOWN))
def credentials_of(ctx: Ctx, organisation: Word) -> list[CredentialOut]:
    """Practitioners of an organisation."""
    return credentials.credentials_of(ctx, organisation)


@credential_routes.post("", status_code=202, **guard(ORGANISATION))
def issue(ctx: Ctx, body: CredentialIn) -> Accepted:
    """Issue a credential of our own organisation."""
    return credentials.issue(ctx, body)


@credential_routes.get("/{practitioner}", **guard(*ANYONE_KNOWN))
def credential(ctx: Ctx, practitioner: Word) -> CredentialOut:
    """A practitioner: credential on the ledger, name and title."""
    return credentials.credential(ctx, practitioner)


@credential_routes.post("/{practitioner}/revocation", status_code=202, **guard(ORGANISATION))
def revoke(ctx: Ctx, practitioner: Word, body: DismissalIn) -> Accepted:
    """Revoke a credential."""
    return credentials.revoke(ctx, practitioner, body)


@credential_routes.get("/{practitioner}/nonce", **guard(ORGANISATION))
def next_act(ctx: Ctx, practitioner: Word) -> CredentialNonceOut:
    """What the organisation's next signature about this practitioner carries."""
    return credentials.next_act(ctx, practitioner)


@credential_routes.post("/{practitioner}/profile", **guard(ORGANISATION))
def set_profile(ctx: Ctx, practitioner: Word, body: ProfileIn) -> CredentialOut:
    """Name, title and department as patients see them."""
    return credentials.set_profile(ctx, practitioner, body)
