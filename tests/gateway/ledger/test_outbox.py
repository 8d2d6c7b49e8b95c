"""The outbox on both databases, over the in-memory ledger: what is promised in its docstring, line by line."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from eth_utils.crypto import keccak
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from core.crypto import sm3
from core.words import kind_word
from gateway.ledger import outbox
from gateway.ledger.memory.chain import MemoryChain
from gateway.ledger.memory.ledger import MemoryLedger
from gateway.ledger.outbox import FAILED, INITIALISED, PENDING, SUCCEEDED, Operation
from gateway.ledger.port import Call, Event, Prepared
from gateway.ledger.reasons import LedgerError, Reason
from tests.support.chains import DoubleChain
from tests.support.world import World, grant_call

Sessions = sessionmaker[Session]
KIND = kind_word("test")


def evidence(n: int) -> Call:
    return Call("Evidence", "record", {"kind": KIND, "digest": sm3(n.to_bytes(4, "big"))})


def put(sessions: Sessions, *calls: Call, start: int = 0) -> list[str]:
    with sessions.begin() as session:
        return [outbox.enqueue(session, f"key-{start + i}", "test", call).id for i, call in enumerate(calls)]


def rows(sessions: Sessions) -> list[Operation]:
    with sessions() as session:
        return list(session.scalars(select(Operation).order_by(Operation.seq)))


def states(sessions: Sessions) -> list[str]:
    return [r.state for r in rows(sessions)]


def digests(world: World) -> list[bytes]:
    """What the ledger holds of the operator's evidence, in its order."""
    return [e.args["digest"] for e in recorded(world)]


def recorded(world: World) -> list[Event]:
    blocks = world.ledger.events(0, chain_of(world).head().height, ["Evidence"])
    return [e for block in blocks for e in block if e.args["organisation"] == world.operator.id]


def chain_of(world: World) -> MemoryChain:
    assert isinstance(world.chain, DoubleChain)
    assert world.chain.chain is not None
    return world.chain.chain


class Faulty(MemoryLedger):
    """The operator's ledger with a fault to be set."""

    def __init__(self, world: World) -> None:
        super().__init__(chain_of(world), world.operator.key)
        self.lose_before = self.lose_after = False
        self.refuse: Reason | None = None

    def submit(self, prepared: Any) -> Any:
        if self.lose_before:
            raise LedgerError(Reason.UNREACHABLE, "submit")
        if self.refuse and isinstance(prepared, list) and b"Evidence" in prepared[0].raw:
            return [LedgerError(self.refuse, "submit", p.id) for p in prepared]
        answer = super().submit(prepared)
        if self.lose_after:
            raise LedgerError(Reason.TIMEOUT, "submit")
        return answer


def test_the_same_key_and_body_is_the_same_operation(sessions: Sessions) -> None:
    assert put(sessions, evidence(1)) == put(sessions, evidence(1))
    assert len(rows(sessions)) == 1


def test_the_same_key_with_another_body_is_a_conflict(sessions: Sessions) -> None:
    put(sessions, evidence(1))
    with pytest.raises(outbox.IdempotencyConflict), sessions.begin() as session:
        outbox.enqueue(session, "key-0", "test", evidence(2))
    with pytest.raises(outbox.IdempotencyConflict), sessions.begin() as session:
        outbox.enqueue(session, "key-0", "test", evidence(1), body=b"more than the call")


def test_keys_of_two_callers_do_not_meet(sessions: Sessions) -> None:
    with sessions.begin() as session:
        one = outbox.enqueue(session, "key", "test", evidence(1), caller="a").id
        two = outbox.enqueue(session, "key", "test", evidence(2), caller="b").id
    assert one != two


def test_two_workers_storing_one_key_make_one_operation(sessions: Sessions) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: put(sessions, evidence(1))[0], range(16)))
    assert len(made) == len(rows(sessions)) == 1


def test_a_rolled_back_caller_leaves_nothing(sessions: Sessions) -> None:
    with sessions() as session:
        outbox.enqueue(session, "key", "test", evidence(1))
        session.rollback()
    assert rows(sessions) == []


def test_writes_arrive_once_in_their_order(sessions: Sessions, double: World) -> None:
    put(sessions, *(evidence(n) for n in range(20)))
    assert outbox.flush(sessions, double.ledger) == 20
    assert states(sessions) == [PENDING] * 20
    assert outbox.settle(sessions, double.ledger) == 20
    assert digests(double) == [evidence(n).args["digest"] for n in range(20)]
    done = rows(sessions)
    assert [r.nonce for r in done] == list(range(done[0].nonce or 0, (done[0].nonce or 0) + 20))
    assert all(r.state == SUCCEEDED and r.block and r.height for r in done)


def test_what_was_signed_is_stored_before_it_is_sent(sessions: Sessions, double: World) -> None:
    put(sessions, evidence(1))
    seen: list[str] = []

    class Watching(Faulty):
        def submit(self, prepared: Any) -> Any:
            if isinstance(prepared, list):
                seen.extend(f"{r.state} {r.raw == prepared[0].raw}" for r in rows(sessions))
            return super().submit(prepared)

    outbox.flush(sessions, Watching(double))
    assert seen == [f"{PENDING} True"]


@pytest.mark.parametrize("fault", ["lose_before", "lose_after"])
def test_a_node_lost_around_submit_neither_loses_nor_doubles(sessions: Sessions, double: World, fault: str) -> None:
    ledger = Faulty(double)
    setattr(ledger, fault, True)
    put(sessions, evidence(1), evidence(2))
    outbox.flush(sessions, ledger)
    assert states(sessions) == [PENDING, PENDING]
    setattr(ledger, fault, False)
    outbox.settle(sessions, ledger)
    outbox.settle(sessions, ledger)
    assert states(sessions) == [SUCCEEDED, SUCCEEDED]
    assert digests(double) == [evidence(n).args["digest"] for n in (1, 2)]


def test_a_call_that_fits_no_contract_fails_alone(sessions: Sessions, double: World) -> None:
    put(sessions, evidence(1), Call("Evidence", "record", {"kind": KIND}), evidence(2))
    outbox.work(sessions, double.ledger)
    assert states(sessions) == [SUCCEEDED, FAILED, SUCCEEDED]
    assert rows(sessions)[1].reason == "invalid_argument"


def test_what_the_contract_refuses_fails_with_its_name(sessions: Sessions, double: World) -> None:
    put(sessions, Call("Evidence", "record", {"kind": bytes(32), "digest": KIND}))
    outbox.work(sessions, double.ledger)
    failed = rows(sessions)[0]
    assert (failed.state, failed.reason, failed.detail) == (FAILED, "rejected", "ZeroValue")


def test_a_write_the_node_refuses_for_good_does_not_hold_up_the_next(sessions: Sessions, double: World) -> None:
    ledger = Faulty(double)
    put(sessions, evidence(1))
    ledger.refuse = Reason.TOO_LARGE
    outbox.flush(sessions, ledger)
    ledger.refuse = None
    put(sessions, evidence(2), start=1)
    outbox.work(sessions, ledger)
    assert states(sessions) == [FAILED, SUCCEEDED]
    assert digests(double) == [evidence(2).args["digest"]]


def test_an_account_used_elsewhere_costs_a_new_signature_not_the_write(sessions: Sessions, double: World) -> None:
    put(sessions, evidence(1))
    outbox.work(sessions, double.ledger)
    double.send((double.operator, evidence(99)))
    put(sessions, evidence(2), start=1)
    outbox.work(sessions, double.ledger)
    outbox.work(sessions, double.ledger)
    assert states(sessions) == [SUCCEEDED, SUCCEEDED]
    assert digests(double) == [evidence(n).args["digest"] for n in (1, 99, 2)]


def test_a_held_lane_is_left_alone_until_its_time_is_over(sessions: Sessions, double: World) -> None:
    put(sessions, evidence(1))
    account = double.operator.account
    with sessions.begin() as session:
        session.add(outbox.Lane(account=account, next_nonce=None, holder="another", held_until=time.time() + 60))
    assert outbox.flush(sessions, double.ledger) == 0
    with sessions.begin() as session:
        session.execute(update(outbox.Lane).values(held_until=time.time() - 1))
    assert outbox.flush(sessions, double.ledger) == 1


def test_a_worker_that_lost_its_lane_signs_nothing(sessions: Sessions, double: World) -> None:
    """It was asleep for longer than its lease: another worker may have used the nonces it read."""
    put(sessions, evidence(1))

    class Sleepy(Faulty):
        def prepare(self, call: Call, account: str | None = None, nonce: int | None = None) -> Prepared:
            with sessions.begin() as session:
                session.execute(update(outbox.Lane).values(holder="another"))
            return super().prepare(call, account, nonce)

    assert outbox.flush(sessions, Sleepy(double)) == 0
    assert states(sessions) == [INITIALISED]


def test_eight_workers_skip_and_double_nothing(sessions: Sessions, double: World) -> None:
    put(sessions, *(evidence(n) for n in range(120)))

    def worker(_: int) -> None:
        ledger = MemoryLedger(chain_of(double), double.operator.key)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and set(states(sessions)) != {SUCCEEDED}:
            outbox.flush(sessions, ledger, limit=7)
            outbox.settle(sessions, ledger, limit=50)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(worker, range(8)))
    assert digests(double) == [evidence(n).args["digest"] for n in range(120)]
    assert set(states(sessions)) == {SUCCEEDED}


# the ledger comes back older


def settled(sessions: Sessions, world: World, count: int) -> int:
    """That many writes succeeded, one a block; the height before them."""
    before = world.ledger.head().height
    for n in range(count):
        put(sessions, evidence(n), start=n)
        outbox.work(sessions, world.ledger)
    assert set(states(sessions)) == {SUCCEEDED}
    return before


def test_nothing_lost_is_consistent(sessions: Sessions, double: World) -> None:
    settled(sessions, double, 3)
    assert outbox.reconcile(sessions, double.ledger)
    with sessions() as session:
        assert outbox.consistent(session, double.ledger)


def test_a_forgotten_block_is_noticed_and_put_on_again(sessions: Sessions, double: World) -> None:
    before = settled(sessions, double, 4)
    transactions = [r.transaction for r in rows(sessions)]
    chain_of(double).rewind(before + 1)
    with sessions() as session:
        assert not outbox.consistent(session, double.ledger)
    with pytest.raises(LedgerError) as refused:
        outbox.flush(sessions, double.ledger)
    assert refused.value.reason is Reason.RESET
    for _ in range(3):
        outbox.work(sessions, double.ledger)
    assert digests(double) == [evidence(n).args["digest"] for n in range(4)]
    assert [r.transaction for r in rows(sessions)] == transactions, "nonces line up: the same bytes are sent again"
    with sessions() as session:
        assert outbox.consistent(session, double.ledger)


def test_a_restart_notices_without_having_seen_the_lost_head(sessions: Sessions, double: World) -> None:
    """A fresh process knows only what the outbox remembers; the chain is even longer than it was."""
    before = settled(sessions, double, 3)
    chain_of(double).rewind(before)
    for n in range(8):
        double.chain.open(double.hospital.key).submit(double.hospital.ledger.prepare(evidence(1000 + n)))
    fresh = MemoryLedger(chain_of(double), double.operator.key)
    assert fresh.head().height > before + 3
    assert not outbox.reconcile(sessions, fresh)
    with sessions() as session:
        assert not outbox.consistent(session, fresh)
    for _ in range(3):
        outbox.work(sessions, fresh)
    assert digests(double) == [evidence(n).args["digest"] for n in range(3)]
    assert outbox.reconcile(sessions, fresh)


def test_nonces_that_no_longer_line_up_are_signed_afresh(sessions: Sessions, double: World) -> None:
    """A refused write had a nonce too; it is not put on again, so those after it need new ones."""
    before = double.ledger.head().height
    refused = Call("Evidence", "record", {"kind": bytes(32), "digest": KIND})
    put(sessions, evidence(0), refused, evidence(1))
    outbox.work(sessions, double.ledger)
    assert states(sessions) == [SUCCEEDED, FAILED, SUCCEEDED]
    old = [r.transaction for r in rows(sessions)]
    chain_of(double).rewind(before)
    for _ in range(4):
        outbox.work(sessions, double.ledger)
    assert digests(double) == [evidence(n).args["digest"] for n in (0, 1)]
    now = [r.transaction for r in rows(sessions)]
    assert now[0] == old[0]
    assert now[2] != old[2]
    assert old[2] in rows(sessions)[2].detail


def test_writes_sent_but_not_settled_at_the_reset_arrive_once(sessions: Sessions, double: World) -> None:
    before = settled(sessions, double, 2)
    put(sessions, evidence(2), evidence(3), start=2)
    outbox.flush(sessions, double.ledger)
    chain_of(double).rewind(before)
    put(sessions, evidence(4), start=4)
    for _ in range(4):
        outbox.work(sessions, double.ledger)
    assert digests(double) == [evidence(n).args["digest"] for n in range(5)]
    assert set(states(sessions)) == {SUCCEEDED}


def test_a_service_that_relies_on_others_waits_for_their_word(sessions: Sessions, double: World) -> None:
    before = settled(sessions, double, 1)
    chain_of(double).rewind(before)
    for _ in range(3):
        outbox.work(sessions, double.ledger, confirm=lambda: False)
    assert set(states(sessions)) == {SUCCEEDED}
    with sessions() as session:
        assert not outbox.consistent(session, double.ledger)
    outbox.work(sessions, double.ledger, confirm=lambda: True)
    with sessions() as session:
        assert outbox.consistent(session, double.ledger)


def test_a_lost_write_that_is_refused_now_keeps_everything_shut_until_waived(sessions: Sessions, double: World) -> None:
    before = double.ledger.head().height
    put(sessions, evidence(0))
    resident = double.resident()
    consent = double.sign(resident, double.scope(resident, double.hospital))
    put(sessions, grant_call(consent), start=1)
    outbox.work(sessions, double.ledger)
    assert set(states(sessions)) == {SUCCEEDED}
    chain_of(double).rewind(before)  # the resident's key binding was not ours to put on again
    for _ in range(outbox.RESTORE_ATTEMPTS * 2 + 4):
        outbox.work(sessions, double.ledger)
    evidence_row, grant_row = rows(sessions)
    assert (evidence_row.state, grant_row.state) == (SUCCEEDED, FAILED)
    assert grant_row.detail.startswith("NoKey")
    with sessions() as session:
        assert not outbox.consistent(session, double.ledger)
    with sessions.begin() as session:
        outbox.waive(session, grant_row.id)
    outbox.work(sessions, double.ledger)
    with sessions() as session:
        assert outbox.consistent(session, double.ledger)


def test_what_builds_on_anothers_lost_write_is_tried_until_that_is_back(sessions: Sessions, double: World) -> None:
    before = double.ledger.head().height
    resident = double.resident()
    consent = double.sign(resident, double.scope(resident, double.hospital))
    put(sessions, grant_call(consent))
    outbox.work(sessions, double.ledger)
    chain_of(double).rewind(before)
    outbox.work(sessions, double.ledger)
    assert rows(sessions)[0].state != SUCCEEDED
    double.platform.ledger.submit(double.platform.ledger.prepare(double.binding(resident)))
    for _ in range(4):
        outbox.work(sessions, double.ledger)
    assert states(sessions) == [SUCCEEDED]


def test_calls_survive_being_stored() -> None:
    call = Call("C", "m", {"a": b"\x00\xff", "n": 2**255, "l": [b"x", {"hex": b"y", "map": 1}], "s": "0x12", "t": True, "d": {}})
    assert outbox.load_call(outbox.dump_call(call)) == call


def test_a_write_that_pays_too_little_is_signed_again_with_its_nonce(sessions: Sessions, double: World) -> None:
    class Priced(Faulty):
        """A node that wants a fee; what is signed after it said so pays it (here: a blank at the end of the bytes)."""

        asked = False

        def prepare(self, call: Call, account: str | None = None, nonce: int | None = None) -> Prepared:
            made = super().prepare(call, account, nonce)
            assert self._key is not None
            body = made.raw[65:] + (b" " if self.asked else b"")
            raw = self._key.sign_recoverable(self.info().ledger_id + body) + body
            return Prepared(raw, "0x" + keccak(raw).hex(), made.account, made.nonce)

        def submit(self, prepared: Any) -> Any:
            if all(p.raw.endswith(b" ") for p in prepared):
                return super().submit(prepared)
            self.asked = True
            return [LedgerError(Reason.UNDERPRICED, "submit", p.id) for p in prepared]

    ledger = Priced(double)
    put(sessions, evidence(1), evidence(2))
    outbox.flush(sessions, ledger)
    nonces = [r.nonce for r in rows(sessions)]
    outbox.settle(sessions, ledger)
    outbox.settle(sessions, ledger)
    assert states(sessions) == [SUCCEEDED, SUCCEEDED]
    assert [r.nonce for r in rows(sessions)] == nonces
    assert digests(double) == [evidence(n).args["digest"] for n in (1, 2)]
