"""Which entries somebody may know of: the one decision function over every entry, at one block (docs/formats.md §6).

Lists, counts, pages and previews all start from :func:`permitted`, so a record that is not permitted changes none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from core.artefact import ConsentArtefact
from core.decision import ConsentState, Decision, MemberStatus, Opened, Request, State, decide_opened
from core.entry import IndexEntry
from core.scope import Scope
from gateway.deps import Context
from gateway.index.models import IndexRow
from gateway.ledger.port import Block, Call
from gateway.ledger.states import state_of
from gateway.schema.service import elements_of


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, in which capacity."""

    requester: bytes
    organisation: bytes
    role: int
    purpose: int


def permitted(
    ctx: Context, rows: list[IndexRow], asker: Asker, states: Mapping[bytes, State], opened: Opened, time: int
) -> list[tuple[IndexRow, Decision]]:
    """The rows ``asker`` may read something of, with the fields. ``states``: ledger state by custodian, of one block."""
    entries = [IndexEntry.unpack(row.leaf) for row in rows]
    masks = elements_of(ctx, {e.schema for e in entries})
    found = []
    for row, entry in zip(rows, entries, strict=True):
        decision = decide_opened(states[row.organisation], _request(entry, asker, masks), opened, time)
        if decision.permit:
            found.append((row, decision))
    return found


def _request(entry: IndexEntry, asker: Asker, masks: Mapping[bytes, int]) -> Request:
    return Request(
        subject=entry.subject,
        requester=asker.requester,
        organisation=asker.organisation,
        role=asker.role,
        purpose=asker.purpose,
        category=entry.category,
        custodian=entry.organisation,
        record=entry.record,
        schema=entry.schema,
        fields=masks.get(entry.schema, (1 << 256) - 1),
    )


def states_at(ctx: Context, head: Block, asker: Asker, consent: bytes, custodians: Iterable[bytes]) -> dict[bytes, State]:
    """Ledger state of each custodian for this asker and consent, all at one block, in one call."""
    names = sorted(set(custodians))
    if not names:
        return {}
    queries = [
        {"consent": consent, "requester": asker.requester, "requesterOrganisation": asker.organisation, "custodian": name}
        for name in names
    ]
    answers = ctx.ledger.read(Call("Consent", "statesOf", {"queries": queries}), head.hash)
    return {name: state_of(answer) for name, answer in zip(names, answers, strict=True)}


def consent_holds(ctx: Context, head: Block, asker: Asker, artefact: ConsentArtefact, opened: Opened, subject: bytes) -> bool:
    """Whether the consent gives this asker anything of this person, asked without looking at what records there are: otherwise
    the time of an empty answer would tell whether there is something to hide."""
    scope = artefact.scope
    filler = b"\1" * 32
    schema, fields = max(scope.fields.items(), key=lambda item: item[1]) if scope.fields else (filler, 1)
    request = Request(
        subject=subject,
        requester=asker.requester,
        organisation=asker.organisation,
        role=asker.role,
        purpose=asker.purpose,
        category=min(scope.categories) if scope.categories else 0,
        custodian=min(scope.custodians) if scope.custodians else filler,
        record=min(scope.records) if scope.records else filler,
        schema=schema,
        fields=fields,
    )
    state = states_at(ctx, head, asker, artefact.consent, [request.custodian])[request.custodian]
    return decide_opened(replace(state, custodian=MemberStatus.ACTIVE), request, opened, head.time).permit


def within(scope: Scope, rows: list[IndexRow]) -> list[IndexRow]:
    """The rows a scope could name; the others cost no time and no question to the ledger."""
    categories, custodians = scope.categories, scope.custodians
    return [
        row
        for row in rows
        if (categories is None or row.category in categories) and (custodians is None or row.organisation in custodians)
    ]


def as_if_granted(states: Mapping[bytes, State], consent: ConsentState) -> dict[bytes, State]:
    """The same states with this consent in place of the ledger's (previews)."""
    return {name: replace(state, consent=consent) for name, state in states.items()}
