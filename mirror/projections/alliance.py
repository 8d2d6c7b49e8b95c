"""Members of the alliance, their accounts, and the votes that change them."""

from __future__ import annotations

from typing import Any

from core.words import word
from gateway.ledger.port import Event
from mirror.models import ACCOUNT, NUMBER, WORD, Relation, account, fact, number, state
from mirror.projections.base import Changes, Handler, Key, Projection, reading

ACTIVE, SUSPENDED, LEFT, INVITED = 1, 2, 3, 4

#: ``status`` as in docs/formats.md section 6, and 4 = invited.
ORGANISATION = state(
    "organisation",
    "organisation",
    WORD,
    {"status": NUMBER, "roles": NUMBER, "name_digest": WORD, "x": WORD, "y": WORD, "joined_at": NUMBER},
)
MEMBER_ACCOUNT = state("member_account", "account", ACCOUNT, {"organisation": WORD, "allowed": NUMBER}, index=["organisation"])
PROPOSAL = state(
    "proposal",
    "proposal",
    WORD,
    {"organisation": WORD, "action": NUMBER, "expires": NUMBER, "votes": NUMBER, "executed": NUMBER},
)
VOTE = fact("vote", {"proposal": WORD, "organisation": WORD})


def _invited(changes: Changes, e: Event, _: int) -> None:
    a = e.args
    changes.put(
        ORGANISATION,
        a["organisation"],
        {"status": INVITED, "roles": a["roles"], "name_digest": a["nameDigest"], "x": a["x"], "y": a["y"], "joined_at": 0},
    )
    changes.put(MEMBER_ACCOUNT, account(a["account"]), {"organisation": a["organisation"], "allowed": 1})


def _joined(changes: Changes, e: Event, _: int) -> None:
    organisation = e.args["organisation"]
    changes.change(ORGANISATION, organisation, status=ACTIVE, joined_at=changes.block.time)
    changes.put(MEMBER_ACCOUNT, account(e.args["account"]), {"organisation": organisation, "allowed": 1})


def _becomes(status: int) -> Handler:
    def apply(changes: Changes, e: Event, _: int) -> None:
        changes.change(ORGANISATION, e.args["organisation"], status=status)

    return Handler(apply, reading(ORGANISATION, "organisation"))


def _roles(changes: Changes, e: Event, _: int) -> None:
    changes.change(ORGANISATION, e.args["organisation"], roles=e.args["roles"])


def _key(changes: Changes, e: Event, _: int) -> None:
    changes.change(ORGANISATION, e.args["organisation"], x=e.args["x"], y=e.args["y"])


def _account(changes: Changes, e: Event, _: int) -> None:
    values = {"organisation": e.args["organisation"], "allowed": int(e.args["allowed"])}
    changes.put(MEMBER_ACCOUNT, account(e.args["account"]), values)


def _proposed(changes: Changes, e: Event, _: int) -> None:
    a = e.args
    values: dict[str, Any] = {"organisation": a["organisation"], "action": a["action"], "expires": number(a["expires"])}
    changes.put(PROPOSAL, word(a["proposal"]), {**values, "votes": 0, "executed": 0})


def _voted(changes: Changes, e: Event, at: int) -> None:
    proposal = word(e.args["proposal"])
    before = changes.now(PROPOSAL, proposal) or {"votes": 0}
    changes.add(VOTE, (at, e.height, proposal, e.args["organisation"]))
    changes.change(PROPOSAL, proposal, votes=before["votes"] + 1)


def _executed(changes: Changes, e: Event, _: int) -> None:
    changes.change(PROPOSAL, word(e.args["proposal"]), executed=1)


def _member(e: Event) -> list[tuple[Relation, Key]]:
    return [(ORGANISATION, e.args["organisation"]), (MEMBER_ACCOUNT, account(e.args["account"]))]


def _proposal(e: Event) -> list[tuple[Relation, Key]]:
    return [(PROPOSAL, word(e.args["proposal"]))]


PROJECTION = Projection(
    "Alliance",
    (ORGANISATION, MEMBER_ACCOUNT, PROPOSAL, VOTE),
    {
        "OrganisationInvited": Handler(_invited, _member),
        "OrganisationJoined": Handler(_joined, _member),
        "OrganisationSuspended": _becomes(SUSPENDED),
        "OrganisationRestored": _becomes(ACTIVE),
        "OrganisationLeft": _becomes(LEFT),
        "RolesSet": Handler(_roles, reading(ORGANISATION, "organisation")),
        "KeyRotated": Handler(_key, reading(ORGANISATION, "organisation")),
        "AccountSet": Handler(_account, _member),
        "Proposed": Handler(_proposed, _proposal),
        "Voted": Handler(_voted, _proposal),
        "Executed": Handler(_executed, _proposal),
    },
)
