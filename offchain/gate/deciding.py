"""Decisions without a reading: may the caller read this, and which fields? (``POST /decisions``)

What is answered is :func:`core.decision.decide` over state words of the head of the custodian's own node, for the signer of the
request and nobody else. It follows from words that every member can read on the ledger and from what the caller brought, never
from what the custodian holds: it says the same whether a record exists or not. So it leaves no receipt (nothing was handed out),
uses up only its nonce, and what was shown of the consents is forgotten with the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from core.decision import Decision, Outcome, Reason, State, decide_opened
from core.words import ZERO
from gateway.ledger.port import Block
from offchain.gate.admission import Admission, Incoming
from offchain.gate.crosscheck import CrossCheck, Decided, Difference
from offchain.gate.opening import NOTHING
from offchain.gate.reading import borrows_name
from offchain.gate.refusals import BadRequest, Refused, Replayed
from offchain.gate.view import Caller, LedgerView, Standing
from offchain.gate.wish import DecisionsWish, ReadWish, decisions_wish
from offchain.gate.writer import ReceiptWriter
from offchain.standards import DocumentType

BORROWED = Decision(Outcome.DENY, Reason.REQUEST_MALFORMED, 0)


@dataclass(frozen=True, slots=True)
class Answered:
    """Decisions in the order of the asks, all of block ``head``."""

    head: Block
    decisions: list[Decision]


@dataclass(frozen=True, slots=True)
class Decider:
    """Answers decisions of one custodian (``store``: its id). ``documents``: types by schema id; ``skew`` in seconds."""

    store: bytes
    view: LedgerView
    admission: Admission
    writer: ReceiptWriter
    crosscheck: CrossCheck
    documents: Callable[[bytes], DocumentType | None]
    stopped: Callable[[], bool]
    skew: int

    async def decide(self, incoming: Incoming) -> Answered:
        """All asks at one block. Raises BadRequest, SignatureInvalid, Replayed, LedgerSilent, Refused (gate_stopped)."""
        wish = decisions_wish(incoming.body)
        masks = [self._mask(ask) for ask in wish.asks]
        admitted = await self.admission.admit(incoming, None)
        standing = admitted.standing
        if standing is None:
            raise admitted.silent or Refused("ledger_unavailable")
        if self.stopped():
            raise Refused("gate_stopped")
        fresh, states = await asyncio.gather(
            self.writer.claim(admitted.nonce, admitted.signed.expires + self.skew),
            self.view.states(admitted.caller, standing.head, [ask.consent or ZERO for ask in wish.asks]),
        )
        if not fresh:
            raise Replayed
        decided = self._judge(admitted.caller, standing, wish, masks, states)
        await self._watch(standing.head, admitted.caller, decided)
        return Answered(standing.head, [d.decision for d in decided])

    def _judge(
        self, caller: Caller, standing: Standing, wish: DecisionsWish, masks: list[int], states: dict[bytes, State]
    ) -> list[Decided]:
        time, judged = standing.head.time, []
        for ask, mask in zip(wish.asks, masks, strict=True):
            request = ask.request(caller.id, standing.organisation, self.store, mask)
            shown = NOTHING if ask.consent is None else wish.shown.get(ask.consent, NOTHING)
            borrowed = borrows_name(caller, ask.subject)
            decision = BORROWED if borrowed else decide_opened(states[ask.consent or ZERO], request, shown.scope, time)
            judged.append(Decided(request, ask.consent, shown, decision))
        return judged

    async def _watch(self, head: Block, caller: Caller, decided: list[Decided]) -> None:
        """The contract does not know kinds of callers: what was refused for a borrowed name is not its decision."""
        try:
            await self.crosscheck.share_of(head, (d for d in decided if not borrows_name(caller, d.request.subject)))
        except Difference as e:
            raise Refused("gate_stopped") from e

    def _mask(self, ask: ReadWish) -> int:
        if ask.fields is not None:
            return ask.fields
        document = self.documents(ask.schema)
        if document is None:
            raise BadRequest(detail="this custodian does not know the document type: name the fields instead of all")
        return ask.mask(document.element_count)
