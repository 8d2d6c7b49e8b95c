"""What a scope would open, before anything is signed: the same decision function over the subject's real entries."""

from __future__ import annotations

from core.artefact import ConsentArtefact
from core.decision import ConsentState, ConsentStatus, Credential, CredentialStatus, MemberStatus, State, open_scope
from core.errors import ArtefactInvalid
from core.scope import Scope
from core.words import ZERO, number
from gateway.consent.schemas import PreviewIn, PreviewOut
from gateway.consent.service import own_scope
from gateway.deps import Context
from gateway.index import repository, service
from gateway.index.models import IndexRow
from gateway.index.permitted import Asker, as_if_granted, permitted, states_at
from gateway.ledger.port import Block

SHOWN = 200
# A preview is made for a member of the grantee that holds every role: what could open at most.
_ALL_ROLES = 2**32 - 1


def preview(ctx: Context, body: PreviewIn) -> PreviewOut:
    """Counts and entries that would open, and how many of them are open already."""
    scope = own_scope(ctx, body.scope)
    artefacts = [_own_artefact(ctx, document) for document in body.artefacts]
    head = ctx.ledger.head()
    rows = repository.of_subject(ctx.db, scope.subject)
    would = _opened_by(ctx, rows, scope, scope, head, None)
    already: set[bytes] = set()
    for artefact in artefacts:
        already |= _opened_by(ctx, rows, artefact.scope, scope, head, artefact).keys()
    found = [(row, would[row.record]) for row in rows if row.record in would]
    page = service.page(found, None, SHOWN)
    return PreviewOut(
        total=page.total,
        alreadyOpen=len(already & would.keys()),
        categories=page.categories,
        custodians=page.custodians,
        entries=page.items,
        complete=page.next is None,
    )


def _own_artefact(ctx: Context, document: dict[str, object]) -> ConsentArtefact:
    artefact = ConsentArtefact.from_json(document)
    if artefact.scope.subject != ctx.caller.word:
        raise ArtefactInvalid(detail="subject")
    return artefact


def _opened_by(
    ctx: Context, rows: list[IndexRow], scope: Scope, for_scope: Scope, head: Block, artefact: ConsentArtefact | None
) -> dict[bytes, int]:
    """Records (with fields) a scope opens to the grantee of ``for_scope``, over all its purposes. With an artefact: under
    the ledger's state."""
    salt = artefact.salt if artefact else ZERO
    opened = open_scope(scope.words(), salt)
    time = head.time if artefact else max(head.time, scope.start)
    found: dict[bytes, int] = {}
    for purpose in sorted(scope.purposes & for_scope.purposes):
        asker = _asker(ctx, for_scope, purpose)
        states = states_at(ctx, head, asker, artefact.consent if artefact else ZERO, (row.organisation for row in rows))
        if artefact is None:
            states = as_if_granted(states, _state_of(scope))
        states = {name: _credentialed(state, asker) for name, state in states.items()} if _stands_for_many(for_scope) else states
        for row, decision in permitted(ctx, rows, asker, states, opened, time):
            found[row.record] = found.get(row.record, 0) | decision.fields
    return found


def _stands_for_many(scope: Scope) -> bool:
    return scope.grantee.type != "practitioner"


def _asker(ctx: Context, scope: Scope, purpose: int) -> Asker:
    grantee = scope.grantee
    if grantee.type == "practitioner":
        credential = ctx.registries.practitioner(grantee.id)
        role = next((n for n in range(32) if credential.roles >> n & 1), 0)
        return Asker(grantee.id, credential.organisation, role, purpose)
    if grantee.type == "role":
        return Asker(b"\1" * 32, grantee.organisation or b"\1" * 32, number(grantee.id), purpose)
    return Asker(grantee.id, grantee.id, 0, purpose)


def _credentialed(state: State, asker: Asker) -> State:
    credential = Credential(asker.organisation, _ALL_ROLES, 0, 2**63, CredentialStatus.ACTIVE)
    return State(state.consent, MemberStatus.ACTIVE, state.custodian, credential)


def _state_of(scope: Scope) -> ConsentState:
    return ConsentState(scope.subject, scope.commitment(ZERO), scope.start, scope.end, scope.uses, 0, ConsentStatus.ACTIVE)
