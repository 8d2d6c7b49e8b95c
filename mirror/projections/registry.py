"""Which contract serves which duty, in which version."""

from __future__ import annotations

from gateway.ledger.port import Event
from mirror.models import ACCOUNT, NUMBER, WORD, account, state
from mirror.projections.base import Changes, Handler, Projection, reading

#: The key is the duty's name as a word (ASCII, padded with zero bytes).
CONTRACT = state("contract", "name", WORD, {"target": ACCOUNT, "version": NUMBER, "frozen": NUMBER, "since": NUMBER})


def _published(changes: Changes, e: Event, _: int) -> None:
    a = e.args
    values = {"target": account(a["target"]), "version": a["version"], "frozen": 0, "since": changes.block.time}
    changes.put(CONTRACT, a["name"], values)


def _frozen(frozen: int) -> Handler:
    def apply(changes: Changes, e: Event, _: int) -> None:
        changes.change(CONTRACT, e.args["name"], frozen=frozen)

    return Handler(apply, reading(CONTRACT, "name"))


PROJECTION = Projection(
    "Registry",
    (CONTRACT,),
    {"Published": Handler(_published, reading(CONTRACT, "name")), "Frozen": _frozen(1), "Thawed": _frozen(0)},
)
