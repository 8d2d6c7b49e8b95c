"""The mirror is a function of the chain: however it got there, at the same head it holds the same rows and the same digest."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ledger.reasons import LedgerError, Reason
from mirror import condition
from mirror.checkpoint import WrongLedger
from mirror.compare import compare_databases, verify
from mirror.database import DatabaseBroken
from mirror.loop import TooDeep, follow
from mirror.models import NUMBER_MAX
from mirror.projections.base import UnexpectedEvent
from mirror.projections.index import ENTRY, FULL_BATCH
from mirror.query import tables
from tests.mirror.scripted import ScriptedLedger, Story, entries
from tests.mirror.support import dump, follower, fresh, mine, reorganise, told


def test_following_live_and_building_anew_give_the_same_rows(database_url: str, tmp_path: Path) -> None:
    ledger = ScriptedLedger()
    story, live = Story(ledger, random.Random(1)), follower(ledger, database_url)
    for _ in range(40):
        mine(ledger, story, 1)
        live.catch_up()
    anew = fresh(ledger, tmp_path)
    assert live.cursor == anew.cursor
    assert live.cursor.height == 40
    assert dump(live.database) == dump(anew.database)
    assert verify(live.database) is None


@pytest.mark.parametrize("seed", range(12))
def test_random_reorganisations_leave_no_trace(seed: int, database_url: str, tmp_path: Path) -> None:
    """About 20 reorganisations a seed and database, up to 8 blocks deep, shorter and longer than what they replace."""
    ledger, rng = ScriptedLedger(seed), random.Random(seed)
    story, live = Story(ledger, rng), follower(ledger, database_url)
    for n in range(20):
        mine(ledger, story, rng.randrange(1, 8))
        live.catch_up()
        ledger.cut(max(0, len(ledger.chain) - 1 - rng.randrange(1, 9)))
        mine(ledger, story, rng.randrange(0, 5))
        live.catch_up()
        if n % 5 == 4:
            assert dump(live.database) == dump(fresh(ledger, tmp_path, f"{n}.db").database)
    assert verify(live.database) is None


@pytest.mark.parametrize("events", [1, 3, 30, 10_000])
def test_how_many_blocks_share_a_transaction_shows_nowhere(events: int, database_url: str, tmp_path: Path) -> None:
    """Things that begin, change and end within one transaction, and across two."""
    ledger, begun = told(21, 40), []
    live = follower(ledger, database_url, events=events, watch=lambda step: begun.append(step) if step == "begin" else None)
    live.catch_up()
    alone = follower(ledger, f"sqlite:///{tmp_path / 'alone.db'}", events=0)
    alone.catch_up()
    assert dump(live.database) == dump(alone.database)
    assert (len(begun) < 20) == (events > 10)


def test_seeded_reorganisations_up_to_64_blocks_deep(tmp_path: Path) -> None:
    """Ten thousand of them: ``python -m benches reorganisations``."""
    ledger = ScriptedLedger(64)
    live, unwound = follower(ledger, f"sqlite:///{tmp_path / 'live.db'}"), []
    live.watch = lambda step: unwound.append(step) if step == "unwind committed" else None
    assert list(reorganise(ledger, live, seed=64, times=40, depth=64, most_blocks=100))[-1] == 40
    assert len(unwound) == 40
    assert dump(live.database) == dump(fresh(ledger, tmp_path).database)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5)), max_size=12),
    seed=st.integers(0, 2**32),
    events=st.sampled_from([0, 5, 1000]),
)
def test_any_sequence_of_cuts_and_blocks(
    moves: list[tuple[int, int]], seed: int, events: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    ledger = ScriptedLedger(seed)
    story, live = Story(ledger, random.Random(seed)), follower(ledger, f"sqlite:///{folder / 'live.db'}", events=events)
    for cut, grow in moves:
        ledger.cut(max(0, len(ledger.chain) - 1 - cut))
        mine(ledger, story, grow)
        live.catch_up()
    live.catch_up()
    assert dump(live.database) == dump(fresh(ledger, folder).database)


def test_a_node_that_came_back_older_is_followed_back(database_url: str, tmp_path: Path) -> None:
    ledger = told(3, 20)
    live = follower(ledger, database_url)
    live.catch_up()
    ledger.cut(15)
    live.catch_up()
    assert live.cursor.height == 15
    assert dump(live.database) == dump(fresh(ledger, tmp_path).database)


def test_a_node_far_behind_is_waited_for(database_url: str) -> None:
    ledger = told(4, 30)
    live = follower(ledger, database_url, depth=5)
    live.catch_up()
    before, blocks = dump(live.database), ledger.chain[11:]
    ledger.cut(10)
    assert live.catch_up() == 10
    assert live.cursor.height == 30
    ledger.chain += blocks
    live.catch_up()
    assert dump(live.database) == before


def test_a_change_below_the_allowed_depth_halts_and_changes_nothing(database_url: str) -> None:
    ledger = told(5, 30)
    live = follower(ledger, database_url, depth=5)
    live.catch_up()
    before = dump(live.database)
    ledger.cut(24)
    mine(ledger, Story(ledger, random.Random(6)), 10)
    with pytest.raises(TooDeep, match=r"more than 5 blocks"):
        live.catch_up()
    assert dump(live.database) == before
    ledger.cut(10)
    mine(ledger, Story(ledger, random.Random(7)), 3)
    with pytest.raises(TooDeep):
        live.catch_up()
    assert dump(live.database) == before


def test_the_deepest_allowed_change_is_followed(database_url: str, tmp_path: Path) -> None:
    ledger = told(8, 30)
    live = follower(ledger, database_url, depth=5)
    live.catch_up()
    ledger.cut(25)
    mine(ledger, Story(ledger, random.Random(6)), 9)
    live.catch_up()
    assert dump(live.database) == dump(fresh(ledger, tmp_path).database)


def test_another_ledger_is_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = told(1, 3)
    follower(ledger, database_url).catch_up()
    other = told(2, 3)
    monkeypatch.setattr("tests.mirror.scripted.LEDGER_ID", b"\7" * 32)
    with pytest.raises(WrongLedger, match="07070707"):
        follower(other, database_url)


def test_two_followers_on_one_database_are_noticed(database_url: str) -> None:
    ledger = told(1, 10)
    one, two = follower(ledger, database_url), follower(ledger, database_url)
    one.catch_up()
    before = dump(one.database)
    with pytest.raises(DatabaseBroken, match="one follower"):
        two.catch_up()
    assert dump(one.database) == before


def test_events_of_another_block_are_not_taken_for_this_one(database_url: str, tmp_path: Path) -> None:
    """The chain moves between asking for blocks and asking for events."""
    ledger, once = told(9, 12), [True]
    live, events = follower(ledger, database_url), ledger.events

    def moving(first: int, last: int, contracts: object = None) -> object:
        if once and first > 5:
            once.clear()
            ledger.cut(first)
            mine(ledger, Story(ledger, random.Random(10)), 6)
        return events(first, last)

    ledger.events = moving  # type: ignore[method-assign,assignment]
    live.catch_up()
    assert not once
    ledger.events = events  # type: ignore[method-assign]
    assert dump(live.database) == dump(fresh(ledger, tmp_path).database)


def test_a_block_is_not_believed_empty_before_its_logs_are_there(database_url: str, tmp_path: Path) -> None:
    """Some nodes serve a block a moment before its logs; its receipts are there."""
    ledger, events = told(9, 12), ScriptedLedger.events
    while not ledger.chain[-1][1]:
        mine(ledger, Story(ledger, random.Random(1)), 1)
    live = follower(ledger, database_url)
    head = ledger.head().height
    ledger.events = lambda first, last, contracts=None: events(ledger, first, min(last, head - 1))  # type: ignore[method-assign]
    assert live.catch_up() == head
    assert live.cursor.height < head
    ledger.events = lambda *range_: events(ledger, *range_)  # type: ignore[method-assign]
    live.catch_up()
    assert dump(live.database) == dump(fresh(ledger, tmp_path).database)


def test_values_no_database_can_hold_do_not_stop_the_mirror(database_url: str) -> None:
    """A resident may grant until the end of time, and a newer contract may report any text."""
    ledger, word = ScriptedLedger(), b"\1" * 32
    packed = (2**64 - 1) << 192 | (2**64 - 1) << 128 | (2**32 - 1) << 96 | (2**64 - 1)
    grant = {"subject": word, "consent": word, "commitment": word, "packed": packed, "messageHash": word}
    odd = {"text": "a\0b\ud800c", "list": [word, {"n": 2**256 - 1}], "flag": True, "low": -(2**255)}
    ledger.extend([("Consent", "ConsentGranted", grant), ("Consent", "FromTheFuture", odd), ("Nowhere", "Known", {})])
    live = follower(ledger, database_url)
    live.catch_up()
    row = tables(live.database, "consent").rows[0]
    assert (row["not_before"], row["not_after"], row["use_limit"]) == (NUMBER_MAX, NUMBER_MAX, 2**32 - 1)
    assert [r["event"] for r in tables(live.database, "event").rows] == ["ConsentGranted", "FromTheFuture", "Known"]
    assert verify(live.database) is None


def test_an_event_the_contracts_cannot_have_emitted_halts_with_nothing_written(database_url: str) -> None:
    ledger, word = ScriptedLedger(), b"\1" * 32
    fine = {"organisation": word, "number": 0, "kind": word, "digest": word}
    ledger.extend([("Evidence", "EvidenceRecorded", fine), ("Consent", "ConsentRevoked", {"consent": word, "messageHash": word})])
    live = follower(ledger, database_url)
    with pytest.raises(UnexpectedEvent, match="never began"):
        live.catch_up()
    assert live.cursor.height == 0
    assert tables(live.database, "evidence").rows == []


def test_entries_that_do_not_give_their_root_are_not_shown(database_url: str) -> None:
    ledger, word = ScriptedLedger(), b"\1" * 32
    raw, root = entries(word, 0, 3, random.Random(1))
    batch = {"organisation": word, "batch": 0, "root": root, "firstSequence": 0, "count": 3}
    forged = raw[:64] + b"\xff" * 32 + raw[96:]
    ledger.extend([("DataIndex", "EntriesAnchored", {**batch, "entries": forged})])
    ledger.extend([("DataIndex", "EntriesAnchored", {**batch, "entries": raw[:-1]})])
    ledger.extend([("DataIndex", "EntriesAnchored", {**batch, "entries": raw})])
    live = follower(ledger, database_url)
    live.catch_up()
    with live.database.read() as connection:
        proven = connection.scalars(sa.select(FULL_BATCH.table.c.proven).order_by(FULL_BATCH.table.c.position)).all()
        shown = connection.execute(sa.select(ENTRY.table.c.height, ENTRY.table.c.sequence, ENTRY.table.c.number)).all()
    assert proven == [0, 0, 1]
    assert [tuple(r) for r in shown] == [(3, 0, 0), (3, 1, 1), (3, 2, 2)]


def test_what_was_in_force_at_a_block_can_be_asked_for_later(database_url: str) -> None:
    ledger, one, two = ScriptedLedger(), b"\1" * 32, b"\2" * 32
    words = {"subject": one, "commitment": one, "packed": 5, "messageHash": one}
    ledger.extend([("Consent", "ConsentGranted", {**words, "consent": one})])
    ledger.extend([])
    ledger.extend([("Consent", "ConsentAmended", {**words, "old": one, "consent": two})])
    ledger.extend([("Consent", "ConsentRevoked", {**words, "consent": two})])
    live = follower(ledger, database_url)
    live.catch_up()

    def states(**question: object) -> list[tuple[str, int]]:
        return [(r["consent"][:4], r["status"]) for r in tables(live.database, "consent", **question).rows]  # type: ignore[arg-type]

    assert states(as_of=0) == []
    assert states(as_of=2) == [("0x01", 1)]
    assert states(as_of=3) == [("0x01", 2), ("0x02", 1)]
    assert states() == [("0x01", 2), ("0x02", 3)]
    assert len(states(history=True)) == 4


def test_a_thing_that_changes_twice_in_a_block_has_one_version(database_url: str) -> None:
    ledger, one = ScriptedLedger(), b"\1" * 32
    words = {"subject": one, "consent": one, "commitment": one, "packed": 5, "messageHash": one}
    ledger.extend([("Consent", "ConsentGranted", words), ("Consent", "ConsentRevoked", words)])
    live = follower(ledger, database_url)
    live.catch_up()
    rows = tables(live.database, "consent", history=True).rows
    assert [(r["status"], r["valid_from"], r["valid_to"]) for r in rows] == [(3, 1, None)]


def test_fifty_thousand_events_in_one_block(database_url: str) -> None:
    ledger, rng = ScriptedLedger(), random.Random(1)
    words = [{"id": rng.randbytes(32), "organisation": b"\1" * 32, "commitment": b"\2" * 32} for _ in range(50_000)]
    ledger.extend([("Access", "AccessRequested", w) for w in words])
    live = follower(ledger, database_url)
    live.catch_up()
    ledger.cut(0)
    mine(ledger, Story(ledger, rng), 1)
    with live.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(sa.table("access_request"))) == 50_000
    live.catch_up()
    with live.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(sa.table("mention"))) < 100


def test_outages_are_waited_out_and_reported(database_url: str) -> None:
    ledger, stop = told(11, 5), threading.Event()
    ledger.down = 2
    live = follower(ledger, database_url)
    seen: list[str] = []
    head = ledger.head

    def watching() -> object:
        with live.database.read() as connection:
            said = condition.read(connection)
        seen.append(said.state if said else "")
        if len(seen) == 5:
            stop.set()
        return head()

    ledger.head = watching  # type: ignore[method-assign,assignment]
    follow(live, stop, 0.01)
    assert live.cursor.height == 5
    assert "waiting" in seen
    assert seen[-1] == "following"
    with live.database.read() as connection:
        said = condition.read(connection)
    assert said is not None
    assert said.state == "stopped"


def test_a_halt_is_written_where_people_look(database_url: str) -> None:
    ledger = told(5, 30)
    live = follower(ledger, database_url, depth=2)
    live.catch_up()
    ledger.cut(20)
    mine(ledger, Story(ledger, random.Random(6)), 12)
    with pytest.raises(TooDeep):
        follow(live, threading.Event(), 0.01)
    with live.database.read() as connection:
        said = condition.read(connection)
    assert said is not None
    assert said.state == "halted"
    assert "rebuild" in said.detail


def test_sqlite_and_postgres_give_the_same_digest(postgres_url: str, tmp_path: Path) -> None:
    ledger = told(12, 60)
    one, two = follower(ledger, postgres_url), fresh(ledger, tmp_path)
    one.catch_up()
    assert one.cursor == two.cursor
    assert compare_databases(one.database, two.database) is None


def test_an_outage_in_the_middle_of_catching_up_keeps_what_is_in(database_url: str, tmp_path: Path) -> None:
    ledger = told(13, 40)
    live, block, calls = follower(ledger, database_url), ledger.block, [0]

    def failing(height: int | bytes | list[int]) -> object:
        calls[0] += isinstance(height, list)
        if calls[0] == 3:
            raise LedgerError(Reason.UNREACHABLE)
        return block(height)

    ledger.block = failing  # type: ignore[method-assign,assignment]
    with pytest.raises(LedgerError):
        live.catch_up()
    assert 0 < live.cursor.height < 40
    ledger.block = block  # type: ignore[method-assign]
    live.catch_up()
    assert dump(live.database) == dump(fresh(ledger, tmp_path).database)
