"""Reading one record, in the order that ARCHITECTURE.md fixes and ADR 0009 explains.

signature → state at the head → find → open the artefact → decide → check with the contract (a share) → prove and open the
record → cut → spend a use (where limited) → **receipt durable** → answer. A refusal ends the line where it happens and leaves
a receipt as well.

The record is opened before the receipt is written, because the receipt carries the digest of what is served; nothing of it
leaves this process before the receipt is durable. Crash before the receipt: nothing left, nothing stays (a spent use stays
spent). After it: the receipt stays, without a delivery mark.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from core.artefact import ConsentArtefact
from core.decision import Decision, Outcome, Reason, Request, decide_opened
from core.emergency import EmergencyArtefact
from core.emergency import standing as standing_in_emergency
from core.hexes import to_hex
from core.receipt import KIND, serve_digest
from core.record import Disclosure
from core.vocabulary import category_code, purpose_number
from core.words import ZERO, word
from gateway.ledger.port import Block
from offchain.gate.admission import Admission, Admitted, Incoming
from offchain.gate.crosscheck import CrossCheck, Difference
from offchain.gate.custody import Custody, Damaged, Erased, Held, IndexProof, NotAnchored, cut
from offchain.gate.opening import NOTHING, Artefacts, Shown, Unreadable
from offchain.gate.refusals import Refused, Replayed
from offchain.gate.spending import Spender, UseNotWon
from offchain.gate.view import Caller, LedgerSilent, LedgerView, Standing
from offchain.gate.wish import PAGE, ListWish, ReadWish, list_wish, read_wish
from offchain.gate.writer import ReceiptWriter
from offchain.receipts import Draft, Receipt
from offchain.standards import DocumentType

Step = Callable[[str], None]
Entries = list[dict[str, Any]]


class No(Exception):
    """The line ends here: ``reason`` and ``outcome`` go into receipt and answer."""

    def __init__(self, reason: str, outcome: Outcome = Outcome.DENY) -> None:
        super().__init__(reason)
        self.reason = reason
        self.outcome = outcome


@dataclass(slots=True)
class Opened:
    """A record proved, decrypted and cut."""

    held: Held
    proof: IndexProof
    disclosure: Disclosure
    digest_salt: bytes
    digest: bytes


@dataclass(slots=True)
class Served:
    """A reading whose receipt is durable. ``request`` and ``decision`` belong to ``standing``'s block."""

    admitted: Admitted
    standing: Standing
    body: bytes
    request: Request
    decision: Decision
    shown: Shown
    document: DocumentType
    opened: Opened
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Listed:
    """What may be read under a consent: entries with the mask that would be served, and where the next page starts."""

    entries: list[dict[str, Any]]
    next: int | None
    receipt: int


@dataclass(frozen=True, slots=True)
class Parts:
    """What a reader works with; all of one custodian."""

    store: bytes
    view: LedgerView
    admission: Admission
    artefacts: Artefacts
    custody: Custody
    documents: Callable[[bytes], DocumentType | None]
    writer: ReceiptWriter
    spender: Spender
    crosscheck: CrossCheck
    stopped: Callable[[], bool]
    clock: Callable[[], float]
    skew: int
    step: Step


class Reader:
    """Answers reads and lists of one gate."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts

    async def read(self, incoming: Incoming) -> Served:
        """One record. Raises BadRequest, SignatureInvalid, Replayed (no receipt: it is not known who asks), Refused (with a
        receipt)."""
        wish = read_wish(incoming.body)
        admitted = await self._p.admission.admit(incoming, wish.consent)
        self._p.step("admitted")
        try:
            return await self._serve(admitted, wish, incoming.body)
        except No as no:
            raise await self._refuse(admitted, wish, wish.record, no) from no

    async def list(self, incoming: Incoming) -> Listed:
        """Which records may be read, each decided by itself. Raises as :meth:`read`."""
        wish = list_wish(incoming.body)
        admitted = await self._p.admission.admit(incoming, wish.consent)
        try:
            return await self._list(admitted, wish)
        except No as no:
            raise await self._refuse(admitted, wish, ZERO, no) from no

    async def claim(self, admitted: Admitted) -> None:
        """Use up the nonce of a request that leaves no receipt. Raises Replayed."""
        if not await self._p.writer.claim(admitted.nonce, admitted.signed.expires + self._p.skew):
            raise Replayed

    async def _serve(self, admitted: Admitted, wish: ReadWish, body: bytes) -> Served:
        standing = self._standing(admitted)
        _refuse_borrowed_name(admitted, wish)
        document = self._p.documents(wish.schema)
        if document is None:
            raise No("schema_unknown")
        if wish.mask(document.element_count) >> document.element_count:
            raise No("fields_unknown")
        mask = wish.mask(document.element_count)
        request = wish.request(admitted.caller.id, standing.organisation, self._p.store, mask)
        # Looked up before deciding, and whatever the decision is: how long a refusal takes says nothing of what is here.
        held = self._p.custody.find(wish.record)
        shown = self._open(wish)
        standing = await self._resting(standing, shown)
        self._p.step("found")
        decision = await self._decide(standing, request, wish, shown)
        if held is None or not held.answers(request):
            raise No(Reason.RECORD_NOT_GRANTED.text)
        opened = await self._open_record(standing.head, held, document, decision)
        self._p.step("opened")
        if decision.reason is Reason.SELF:
            shown, wish = NOTHING, replace(wish, consent=None)
        elif standing.state.consent.use_limit and isinstance(shown.artefact, ConsentArtefact):
            await self._spend(shown.artefact, standing)
        receipt = await self._write(admitted, wish, wish.record, standing, decision, opened.digest, opened.proof.batch)
        self._p.step("receipt")
        return Served(admitted, standing, body, request, decision, shown, document, opened, receipt)

    def _standing(self, admitted: Admitted) -> Standing:
        if admitted.standing is None:
            raise No(admitted.silent.code if admitted.silent else "ledger_unavailable")
        if self._p.stopped():
            raise No("gate_stopped")
        return admitted.standing

    def _open(self, wish: ReadWish | ListWish) -> Shown:
        try:
            return self._p.artefacts.open(wish.consent, wish.artefact)
        except Unreadable as e:
            raise No("artefact_unreadable") from e

    async def _resting(self, standing: Standing, shown: Shown) -> Standing:
        """What the decision rests on: the consent's words, or in an emergency those of what two people opened on the ledger."""
        if not isinstance(shown.artefact, EmergencyArtefact):
            return standing
        try:
            held = await self._p.view.emergency(shown.artefact.consent, standing.head)
        except LedgerSilent as e:
            raise No(e.code) from e
        consent = standing_in_emergency(held, standing.organisation, shown.artefact.scope, standing.head.time)
        return replace(standing, state=replace(standing.state, consent=consent))

    async def _decide(self, standing: Standing, request: Request, wish: ReadWish, shown: Shown) -> Decision:
        decision = decide_opened(standing.state, request, shown.scope, standing.head.time)
        try:
            # The contract's own `decide` knows consents only; of an emergency it keeps the words that were read.
            if not isinstance(shown.artefact, EmergencyArtefact):
                await self._p.crosscheck.maybe(standing.head, request, wish.consent, shown, decision)
        except Difference as e:
            raise No("gate_stopped") from e
        except LedgerSilent as e:
            raise No(e.code) from e
        self._p.step("decided")
        if not decision.permit:
            raise No(decision.reason.text, decision.outcome)
        return decision

    async def _open_record(self, head: Block, held: Held, document: DocumentType, decision: Decision) -> Opened:
        try:
            batch = self._p.custody.batch(held.sequence)
            proof = self._p.custody.prove(held, batch, await self._p.view.root(batch, head))
            disclosure = cut(self._p.custody.open(held, document.element_count), decision.fields)
        except NotAnchored as e:
            raise No("not_anchored") from e
        except Damaged as e:
            raise No("record_damaged") from e
        except Erased as e:
            raise No("record_erased") from e
        except LedgerSilent as e:
            raise No(e.code) from e
        salt = secrets.token_bytes(32)
        values = {str(n): v for n, v in disclosure.values.items()}
        return Opened(held, proof, disclosure, salt, serve_digest(salt, values))

    async def _spend(self, artefact: ConsentArtefact, standing: Standing) -> None:
        try:
            await self._p.spender.spend(artefact, standing.state.consent.uses)
        except UseNotWon as e:
            raise No("use_not_won") from e
        except LedgerSilent as e:
            raise No(e.code) from e
        self._p.step("spent")

    async def _list(self, admitted: Admitted, wish: ListWish) -> Listed:
        standing = self._standing(admitted)
        _refuse_borrowed_name(admitted, wish)
        shown = self._open(wish)
        standing = await self._resting(standing, shown)
        probe = self._probe(admitted, standing, wish, shown)
        decision = decide_opened(standing.state, probe, shown.scope, standing.head.time)
        if not decision.permit:
            raise No(decision.reason.text, decision.outcome)
        entries, following = self._page(admitted, standing, wish, shown)
        salt = secrets.token_bytes(32)
        digest = serve_digest(salt, entries)
        receipt = await self._write(admitted, wish, ZERO, standing, decision._replace(fields=0), digest)
        return Listed(entries, following, receipt.number)

    def _page(self, admitted: Admitted, standing: Standing, wish: ListWish, shown: Shown) -> tuple[Entries, int | None]:
        """Entries up to the limit, and the sequence after which the next page starts. Hidden records neither take a place in a
        page nor end one: a short page, or a cursor on a hidden record, would tell that there are some."""
        entries: Entries = []
        after, last = wish.after, wish.after
        while True:
            held = self._p.custody.of_subject(wish.subject, PAGE, after)
            for h in held:
                entry = self._entry(admitted, standing, wish, shown, h)
                if entry is not None and len(entries) == wish.limit:
                    return entries, last
                if entry is not None:
                    entries.append(entry)
                    last = h.sequence
            if len(held) < PAGE:
                return entries, None
            after = held[-1].sequence

    def _probe(self, admitted: Admitted, standing: Standing, wish: ListWish, shown: Shown) -> Request:
        """A request that the consent's own scope would grant, about no record in particular: whether the consent holds, asked
        without looking at what records there are."""
        scope = None if shown.artefact is None else shown.artefact.scope
        records = sorted(scope.records) if scope and scope.records else [self._p.store]
        schemas = sorted(scope.fields) if scope and scope.fields else [self._p.store]
        categories = sorted(scope.categories) if scope and scope.categories else [0]
        fields = scope.fields[schemas[0]] if scope and scope.fields else 1
        return Request(
            wish.subject, admitted.caller.id, standing.organisation, wish.role, purpose_number(wish.purpose), categories[0],
            self._p.store, records[0], schemas[0], fields,
        )  # fmt: skip

    def _entry(self, admitted: Admitted, standing: Standing, wish: ListWish, shown: Shown, held: Held) -> dict[str, Any] | None:
        document = self._p.documents(held.schema)
        if document is None:
            return None
        request = Request(
            wish.subject, admitted.caller.id, standing.organisation, wish.role, purpose_number(wish.purpose), held.category,
            self._p.store, held.record, held.schema, (1 << document.element_count) - 1,
        )  # fmt: skip
        decision = decide_opened(standing.state, request, shown.scope, standing.head.time)
        if not decision.permit:
            return None
        return {
            "record": to_hex(held.record),
            "schema": to_hex(held.schema),
            "category": category_code(held.category),
            "version": held.version,
            "recordedAt": held.recorded_at,
            "fields": to_hex(word(decision.fields)),
        }

    async def _refuse(self, admitted: Admitted, wish: ReadWish | ListWish, record: bytes, no: No) -> Refused:
        decision = (no.outcome, no.reason)
        receipt = await self._write(admitted, wish, record, admitted.standing, decision, None)
        self._p.step("receipt")
        return Refused(no.reason, receipt.number, no.outcome.text)

    async def _write(
        self,
        admitted: Admitted,
        wish: ReadWish | ListWish,
        record: bytes,
        standing: Standing | None,
        decision: Decision | tuple[Outcome, str],
        digest: bytes | None,
        index_batch: int | None = None,
    ) -> Receipt:
        outcome, reason, fields = decision if isinstance(decision, Decision) else (*decision, 0)
        body = {
            "kind": KIND,
            "version": 1,
            "store": to_hex(self._p.store),
            "time": int(self._p.clock()),
            "requester": to_hex(admitted.caller.id),
            "organisation": to_hex(standing.organisation if standing else ZERO),
            "subject": to_hex(wish.subject),
            "record": to_hex(record),
            "purpose": wish.purpose,
            "consent": None if wish.consent is None else to_hex(wish.consent),
            "outcome": outcome.text,
            "reason": reason if isinstance(reason, str) else reason.text,
            "fields": to_hex(word(fields)),
            "height": standing.head.height if standing else 0,
            "block": to_hex(standing.head.hash if standing else ZERO),
            "request": to_hex(admitted.signed.digest()),
            "digest": None if digest is None else to_hex(digest),
        }
        receipt = await self._p.writer.write(Draft(body, admitted.nonce, admitted.signed.expires + self._p.skew, index_batch))
        if receipt is None:
            raise Replayed
        return receipt


def _refuse_borrowed_name(admitted: Admitted, wish: ReadWish | ListWish) -> None:
    """The decision knows a requester by its id alone, and any organisation may issue a credential for any id: a practitioner
    who is called like the resident would pass for the resident."""
    if borrows_name(admitted.caller, wish.subject):
        raise No(Reason.REQUEST_MALFORMED.text)


def borrows_name(caller: Caller, subject: bytes) -> bool:
    """Whether a practitioner is called like the resident asked about."""
    return caller.kind == "practitioner" and caller.id == subject
