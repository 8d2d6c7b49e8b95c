"""The outbox on a ledger that endorses, over a double that judges like Fabric: what was overtaken does nothing and is spent."""

from __future__ import annotations

import secrets
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from core.crypto import sm3
from core.words import kind_word
from gateway.ledger import endorsing, outbox
from gateway.ledger.memory.ledger import MemoryLedger
from gateway.ledger.outbox import FAILED, INITIALISED, PENDING, SUCCEEDED, Operation
from gateway.ledger.port import Call, LedgerInfo, Outcome, Prepared, Sent
from gateway.ledger.reasons import LedgerError, Reason
from gateway.ledger.wire import dump_call, load_call
from tests.gateway.ledger.test_outbox import chain_of
from tests.support.world import Organisation, World, grant_call

Sessions = sessionmaker[Session]
KIND = kind_word("test")


class Endorsing(MemoryLedger):
    """A member's view (the operator's) of an in-memory chain, as if peers endorsed: a write is tried out when it is prepared, and
    counts only if its contract was not written to since."""

    def __init__(self, world: World, member: Organisation | None = None) -> None:
        super().__init__(chain_of(world), (member or world.operator).key)
        self.tried = 0
        self.written: dict[str, int] = {}
        self.settled: dict[str, Outcome] = {}
        self.prepared: list[str] = []
        self.refuse: dict[str, LedgerError] = {}
        self.deaf = False

    def info(self) -> LedgerInfo:
        return replace(super().info(), endorses=True)

    def prepare(self, call: Call, account: str | None = None, nonce: int | None = None) -> Prepared:
        self.tried += 1
        if call.contract in self.refuse:
            raise self.refuse[call.contract]
        self.read(call)
        id = "0x" + secrets.token_hex(32)
        self.prepared.append(id)
        return Prepared(f"{self.written.get(call.contract, 0)} {dump_call(call)}".encode(), id, self.info().account, 0)

    def submit(self, prepared: Any) -> Any:
        if self.deaf:
            raise LedgerError(Reason.UNREACHABLE, "submit")
        if isinstance(prepared, list):
            return [self.submit(p) for p in prepared]
        if prepared.id not in self.settled:
            self.settled[prepared.id] = self._judge(prepared)
        return Sent(prepared.id, 0.0)

    def outcome(self, id: Any) -> Any:
        if isinstance(id, list):
            return [self.outcome(i) for i in id]
        return self.settled.get(id, Outcome(id, "unknown"))

    def _judge(self, prepared: Prepared) -> Outcome:
        seen, text = prepared.raw.decode().split(" ", 1)
        call, head = load_call(text), self.head()
        if int(seen) != self.written.get(call.contract, 0):
            return Outcome(prepared.id, "failed", head.height, head.hash, Reason.CONFLICT, "MVCC_READ_CONFLICT")
        self.written[call.contract] = int(seen) + 1
        real = super().prepare(call)
        super().submit([real])
        return replace(super().outcome(real.id), id=prepared.id)


@pytest.fixture
def ledger(double: World) -> Endorsing:
    return Endorsing(double)


def evidence(n: int) -> Call:
    return Call("Evidence", "record", {"kind": KIND, "digest": sm3(n.to_bytes(4, "big"))})


def put(sessions: Sessions, *calls: Call) -> None:
    with sessions.begin() as session:
        for call in calls:
            outbox.enqueue(session, secrets.token_hex(4), "test", call)


def rows(sessions: Sessions) -> list[Operation]:
    with sessions() as session:
        return list(session.scalars(select(Operation).order_by(Operation.seq)))


def states(sessions: Sessions) -> list[str]:
    return [r.state for r in rows(sessions)]


def count(ledger: Endorsing, world: World) -> int:
    return int(ledger.read(Call("Evidence", "countOf", {"organisation": world.operator.id})))


def test_writes_that_overtake_each_other_each_have_their_effect_once(
    sessions: Sessions, double: World, ledger: Endorsing
) -> None:
    put(sessions, *(evidence(n) for n in range(5)))
    outbox.flush(sessions, ledger)
    assert states(sessions) == [SUCCEEDED] * 5
    assert count(ledger, double) == 5
    conflicts = [o for o in ledger.settled.values() if o.reason is Reason.CONFLICT]
    # Side by side once, then one after the other: not four, then three, then two …
    assert len(conflicts) == 4
    assert len({r.transaction for r in rows(sessions)}) == 5


def test_what_builds_on_an_earlier_write_waits_for_it(sessions: Sessions, double: World, ledger: Endorsing) -> None:
    resident = double.resident()
    first = double.sign(resident, double.scope(resident, double.hospital))
    second = double.sign(resident, double.scope(resident, double.platform), nonce=double.consent_nonce(resident) + 1)
    put(sessions, grant_call(first), grant_call(second), evidence(1))
    outbox.flush(sessions, ledger)
    assert states(sessions) == [SUCCEEDED] * 3
    assert {r.reason for r in rows(sessions)} == {None}


def test_a_chain_of_writes_is_not_endorsed_again_and_again(sessions: Sessions, double: World) -> None:
    """Each of a custodian's batches names the one before: side by side once, then one after the other."""
    ledger = Endorsing(double, double.hospital)
    roots = [bytes(32), *(sm3(bytes([n])) for n in range(20))]
    chained = [
        Call("DataIndex", "anchorBatch", {"root": root, "firstSequence": n, "count": 1, "previousRoot": before})
        for n, (before, root) in enumerate(pairwise(roots))
    ]
    put(sessions, *chained)
    outbox.flush(sessions, ledger)
    assert states(sessions) == [SUCCEEDED] * len(chained)
    assert ledger.tried < len(chained) + endorsing.SIDE_BY_SIDE


def test_a_refusal_is_final_only_when_nothing_earlier_is_under_way(sessions: Sessions, double: World, ledger: Endorsing) -> None:
    bad = Call("Evidence", "record", {"kind": KIND, "digest": bytes(32)})
    put(sessions, evidence(1), bad)
    ledger.deaf = True
    outbox.flush(sessions, ledger)
    assert states(sessions) == [PENDING, INITIALISED]
    assert rows(sessions)[1].detail == "ZeroValue"
    ledger.deaf = False
    outbox.settle(sessions, ledger)
    outbox.settle(sessions, ledger)
    outbox.flush(sessions, ledger)
    assert states(sessions) == [SUCCEEDED, FAILED]
    assert count(ledger, double) == 1


def test_what_nobody_has_heard_of_is_sent_again_as_it_is(sessions: Sessions, ledger: Endorsing) -> None:
    put(sessions, evidence(1))
    ledger.deaf = True
    outbox.flush(sessions, ledger)
    sent = rows(sessions)[0].transaction
    ledger.deaf = False
    outbox.settle(sessions, ledger)
    outbox.settle(sessions, ledger)
    assert [(r.state, r.transaction) for r in rows(sessions)] == [(SUCCEEDED, sent)]
    assert ledger.prepared == [sent]


@pytest.mark.parametrize("reason", [Reason.DENIED, Reason.UNREACHABLE, Reason.WRONG_CHAIN, Reason.NOT_FOUND, Reason.INTERNAL])
def test_a_network_to_be_put_right_first_fails_no_write(sessions: Sessions, ledger: Endorsing, reason: Reason) -> None:
    put(sessions, evidence(1), evidence(2))
    ledger.refuse["Evidence"] = LedgerError(reason, "endorse", detail="not now")
    assert outbox.flush(sessions, ledger) == 0
    assert states(sessions) == [INITIALISED] * 2
    assert rows(sessions)[0].reason == reason.value
    ledger.refuse.clear()
    outbox.flush(sessions, ledger)
    assert states(sessions) == [SUCCEEDED] * 2


def test_peers_that_never_agree_fail_a_write_in_the_end(sessions: Sessions, ledger: Endorsing) -> None:
    put(sessions, evidence(1))
    ledger.refuse["Evidence"] = LedgerError(Reason.ENDORSEMENT, "endorse", detail="payloads do not match")
    for _ in range(endorsing.ATTEMPTS):
        assert states(sessions) == [INITIALISED]
        outbox.flush(sessions, ledger)
    (row,) = rows(sessions)
    assert (row.state, row.reason) == (FAILED, "endorsement")


@pytest.mark.parametrize("reason", [Reason.INVALID_ARGUMENT, Reason.TOO_LARGE])
def test_what_can_never_be_taken_fails_whatever_is_before_it(sessions: Sessions, ledger: Endorsing, reason: Reason) -> None:
    put(sessions, evidence(1), Call("Schema", "register", {"schemaId": KIND, "elements": 1, "supersedes": bytes(32)}))
    ledger.refuse["Schema"] = LedgerError(reason, "endorse")
    ledger.deaf = True
    outbox.flush(sessions, ledger)
    assert states(sessions) == [PENDING, FAILED]


def test_one_that_waits_for_another_of_its_contract_is_under_way(sessions: Sessions, ledger: Endorsing) -> None:
    """Held back itself, it still keeps later refusals from being final."""
    put(
        sessions, evidence(1), evidence(2), Call("Schema", "register", {"schemaId": bytes(32), "elements": 1, "supersedes": KIND})
    )
    with sessions.begin() as session:
        session.execute(update(Operation).where(Operation.seq == rows(sessions)[0].seq).values(attempts=1))
    ledger.refuse["Evidence"] = LedgerError(Reason.TOO_LARGE, "endorse")
    waiting = rows(sessions)
    stored = {op.seq: load_call(op.call) for op in waiting}
    answers = endorsing.prepare(ledger, waiting, ledger.info().account, lambda op: stored[op.seq], set())
    judged = {op.seq: values["state"] for op, values in endorsing.judge(waiting, answers, None)}
    first, second, third = (r.seq for r in waiting)
    assert judged == {first: FAILED, third: INITIALISED}
    assert second not in judged


def test_what_the_ledger_lost_is_put_on_again_as_it_was(sessions: Sessions, double: World, ledger: Endorsing) -> None:
    kept = chain_of(double).head().height
    put(sessions, evidence(1), evidence(2))
    outbox.flush(sessions, ledger)
    outbox.settle(sessions, ledger)
    before = [r.transaction for r in rows(sessions)]
    chain_of(double).rewind(kept)
    ledger.settled.clear()
    ledger.written.clear()
    for _ in range(4):
        outbox.work(sessions, ledger)
    after = rows(sessions)
    assert [r.state for r in after] == [SUCCEEDED] * 2
    assert after[0].transaction == before[0]
    assert count(ledger, double) == 2
    with sessions() as session:
        assert outbox.consistent(session, ledger)
