"""What the ledger says now: keys, credentials, consents and batch roots, read from the custodian's own node at its head.

Every question first learns the head, after the question was asked, so no answer is older than the request it serves. Answers
are reused only while the head is the same block. Questions asked at the same time share one round trip, so a thousand callers
cost the node no more than a few calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from core.decision import State
from core.emergency import EmergencyState
from core.errors import Unavailable
from core.words import ZERO
from gateway.ledger.port import Block, Call
from gateway.ledger.reasons import LedgerError, Reason
from gateway.ledger.states import state_of
from offchain.gate.grouped import Grouped
from offchain.gate.watched import WatchedLedger

Kind = Literal["practitioner", "subject"]
_T = TypeVar("_T")
ATTEMPTS = 10
"""How often everything is asked again because a block came in between, on a ledger that keeps no older states."""
GATHER_SECONDS = 0.008
"""Least time from one look at the head to the next: the node is asked at most 125 times a second however many read."""


class LedgerSilent(Unavailable):
    """The node gave no answer that can be decided on. ``reason`` is what receipts carry."""

    default_code = "ledger_unavailable"
    default_zh = "账本暂时没有可靠的答复，未提供任何内容；请稍后重试。"
    default_en = "The ledger gives no answer that can be relied on. Nothing was handed out; try again later."

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail=detail)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signs: ``practitioner`` (by credential) or ``subject`` (by bound key)."""

    kind: Kind
    id: bytes


@dataclass(slots=True)
class Standing:
    """Ledger words about one caller and one consent, all of block ``head``. ``public``: x‖y (64 bytes), None where the caller
    has no key; ``organisation``: of the credential, zeros for a subject."""

    head: Block
    public: bytes | None
    organisation: bytes
    state: State


@dataclass
class _At:
    """Answers that hold at one block."""

    head: Block
    keys: dict[Caller, tuple[bytes | None, bytes]] = field(default_factory=dict)
    states: dict[tuple[Caller, bytes], State] = field(default_factory=dict)


_Question = tuple[Caller, bytes]
"""Who, and under which consent."""


class LedgerView:
    """The head of the custodian's own node, asked by many at once. One per process and event loop."""

    def __init__(self, ledger: WatchedLedger, custodian: bytes, clock: Callable[[], float], max_age: float, skew: float) -> None:
        """``clock``: our UTC seconds. ``max_age``: oldest accepted head, ``skew``: largest accepted lead of the head, both
        seconds."""
        self._ledger = ledger
        self._custodian = custodian
        self._clock = clock
        self._max_age = max_age
        self._skew = skew
        self._known: _At | None = None
        self._roots: dict[int, bytes] = {}
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._standings: Grouped[_Question, Standing] = Grouped(self._thread, self._stand, GATHER_SECONDS)
        self._sought: Grouped[tuple[Block, set[_Question]], _At] = Grouped(self._thread, self._seek, GATHER_SECONDS)

    async def standing(self, caller: Caller, consent: bytes) -> Standing:
        """Words about this caller and consent (zeros = none) at the head. Raises LedgerSilent."""
        return await _told(self._standings.do((caller, consent)))

    async def states(self, caller: Caller, head: Block, consents: Iterable[bytes]) -> dict[bytes, State]:
        """Words about this caller and each consent, all of ``head``: a block that :meth:`standing` answered for the same request;
        of a newer one where the ledger went on and keeps no older states. Raises LedgerSilent."""
        wanted = frozenset(consents)
        at = self._known
        if at is not None and at.head.hash == head.hash and all((caller, c) in at.states for c in wanted):
            return {c: at.states[caller, c] for c in wanted}
        found = await _told(self._sought.do((head, {(caller, c) for c in wanted})))
        return {c: found.states[caller, c] for c in wanted}

    async def emergency(self, id: bytes, head: Block) -> EmergencyState:
        """What the ledger holds of an emergency as of ``head``; now, where it keeps no older states. Raises LedgerSilent."""
        call = Call("Access", "emergencyOf", {"id": id})
        at = head.hash if self._ledger.info().history else None
        return EmergencyState.of(await self.call(lambda: self._ledger.read(call, at)))

    async def head(self) -> Block:
        """The head, judged as for a read. Raises LedgerSilent."""
        block: Block = await self.call(self._judged_head)
        return block

    async def call(self, function: Callable[[], Any]) -> Any:
        """Run any other question to the ledger in the same thread. Raises LedgerSilent."""
        return await _told(asyncio.get_running_loop().run_in_executor(self._thread, function))

    async def root(self, batch: int, head: Block) -> bytes | None:
        """Root of an anchored batch of this custodian as of ``head``, None where the ledger has none. Anchored batches never
        change, so a root is remembered until the node comes back with another history."""
        known = self._roots.get(batch)
        if known is None:
            known = await self.call(lambda: self._ask_root(batch, head))
            if known is not None:
                self._roots[batch] = known
        return known

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _judged_head(self) -> Block:
        try:
            head = self._ledger.head()
        except LedgerError as e:
            if e.reason is Reason.RESET:
                self._forget()
            raise
        # Asked after the head: a healing that began in between makes that head worthless.
        if not self._ledger.trusted:
            self._forget()
            raise LedgerSilent("ledger_behind", "lost writes are being put on again")
        self._check_clock(head)
        return head

    def _forget(self) -> None:
        self._known, self._roots = None, {}

    def _stand(self, asked: list[_Question]) -> list[Standing]:
        at = self._ask(set(asked))
        return [Standing(at.head, *at.keys[caller], at.states[caller, consent]) for caller, consent in asked]

    def _seek(self, asked: list[tuple[Block, set[_Question]]]) -> list[_At]:
        """What was asked of the same block is asked of the node together."""
        questions: dict[Block, set[_Question]] = {}
        for head, some in asked:
            questions.setdefault(head, set()).update(some)
        found = {head: self._states_at(head, some) for head, some in questions.items()}
        return [found[head] for head, _ in asked]

    def _ask(self, asked: set[_Question]) -> _At:
        for _ in range(ATTEMPTS):
            try:
                return self._ask_once(asked)
            except LedgerError as e:
                if not self.moved(e):
                    raise
        raise LedgerError(Reason.BEHIND, detail=f"a block came in between {ATTEMPTS} times")

    def moved(self, e: LedgerError) -> bool:
        """Whether an answer at a head is not to be had because the ledger went on and keeps no older states."""
        return e.reason is Reason.NOT_FOUND and not self._ledger.info().history

    def _ask_once(self, asked: set[_Question]) -> _At:
        at = self._known = self._learn(self._judged_head(), asked)
        return at

    def _states_at(self, head: Block, asked: set[_Question]) -> _At:
        try:
            at = self._learn(head, asked)
        except LedgerError as e:
            if not self.moved(e):
                raise
            return self._ask(asked)
        if not self._ledger.trusted:
            raise LedgerSilent("ledger_behind", "lost writes are being put on again")
        return at

    def _learn(self, head: Block, asked: set[_Question]) -> _At:
        at = self._known if self._known is not None and self._known.head.hash == head.hash else _At(head)
        self._learn_keys(at, {caller for caller, _ in asked})
        self._learn_states(at, asked)
        return at

    def _check_clock(self, head: Block) -> None:
        age = self._clock() - head.time
        if age > self._max_age:
            raise LedgerSilent("ledger_behind", f"head {head.height} is {age:.0f} s old")
        if age < -self._skew:
            raise LedgerSilent("clock_skew", f"head {head.height} is {-age:.0f} s ahead of our clock")

    def _learn_keys(self, at: _At, callers: Iterable[Caller]) -> None:
        missing = [c for c in callers if c not in at.keys]
        if missing:
            answers = self._ledger.read_many([_key_call(c) for c in missing], at.head.hash)
            at.keys.update(zip(missing, map(_key, missing, answers), strict=True))

    def _learn_states(self, at: _At, asked: Iterable[_Question]) -> None:
        missing = [q for q in asked if q not in at.states]
        if missing:
            queries = [self._query(caller, consent, at.keys[caller][1]) for caller, consent in missing]
            answers = self._ledger.read(Call("Consent", "statesOf", {"queries": queries}), at.head.hash)
            at.states.update(zip(missing, map(state_of, answers), strict=True))

    def _query(self, caller: Caller, consent: bytes, organisation: bytes) -> dict[str, bytes]:
        return {
            "consent": consent,
            "requester": caller.id,
            "requesterOrganisation": organisation,
            "custodian": self._custodian,
        }

    def _ask_root(self, batch: int, head: Block) -> bytes | None:
        try:
            call = Call("DataIndex", "batchOf", {"organisation": self._custodian, "batch": batch})
            root = self._ledger.read(call, head.hash if self._ledger.info().history else None)["root"]
        except LedgerError as e:
            if e.reason is Reason.REJECTED and e.error == "UnknownBatch":
                return None
            raise
        return bytes(root)


def _key_call(caller: Caller) -> Call:
    if caller.kind == "subject":
        return Call("Identity", "keyOf", {"subject": caller.id})
    return Call("Identity", "credentialOf", {"practitioner": caller.id})


def _key(caller: Caller, words: dict[str, Any]) -> tuple[bytes | None, bytes]:
    """Public key and organisation. A revoked credential keeps its key: the decision says why it does not count."""
    public = words["x"] + words["y"] if words["status"] else None
    return public, words["organisation"] if caller.kind == "practitioner" else ZERO


async def _told(answer: Awaitable[_T]) -> _T:
    """What the ledger's thread says. Raises LedgerSilent for every LedgerError."""
    try:
        return await answer
    except LedgerError as e:
        raise _silent(e) from e


def _silent(e: LedgerError) -> LedgerSilent:
    behind = e.reason in (Reason.BEHIND, Reason.RESET)
    return LedgerSilent("ledger_behind" if behind else "ledger_unavailable", e.reason.value)
