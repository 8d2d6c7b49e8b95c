"""The Fabric driver over a peer in this process: the head, what is behind and what is another history, blocks, outcomes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from gateway.ledger.fabric.blocks import header_hash
from gateway.ledger.fabric.codec import Codec
from gateway.ledger.fabric.context import Context
from gateway.ledger.fabric.gateway import Gateway
from gateway.ledger.fabric.ledger import FabricLedger
from gateway.ledger.fabric.open import Deployment, Limits, connect
from gateway.ledger.fabric.prepare import PAUSES
from gateway.ledger.fabric.profile import Profile
from gateway.ledger.fabric.protos import message
from gateway.ledger.port import Block, Call, LedgerInfo, Prepared
from gateway.ledger.reasons import LedgerError, Reason
from tests.support.fabric_double import FakePeer, Refusal, called, make_block, somebody

NOW = 1_700_000_000
LIMIT = 30.0
RECORD = Call("Evidence", "record", {"kind": b"\x01" * 32, "digest": b"\x02" * 32})


@pytest.fixture
def peer() -> Iterator[FakePeer]:
    made = FakePeer().start()
    made.on("Evaluate", made.ledger)
    for n in range(3):
        made.append((f"{n}{n}", NOW + n, 0, None))
    yield made
    made.stop()


@pytest.fixture
def ctx(peer: FakePeer) -> Iterator[Context]:
    who = somebody()
    gateway = Gateway(who, "health", [peer.peer], 60.0)
    info = LedgerInfo(
        "fabric", b"", 0, {"Evidence": "0x00", "Alliance": "0x00"}, b"", who.account, 0, history=False, endorses=True
    )
    made = Context(gateway, Codec.load(["Alliance", "Evidence"]), info, "cc", LIMIT)
    made.clock = lambda: NOW + 2.0
    yield made
    gateway.close()


@pytest.fixture
def ledger(ctx: Context) -> FabricLedger:
    return FabricLedger(ctx)


def reason(ask: Any) -> Reason:
    with pytest.raises(LedgerError) as raised:
        ask()
    return raised.value.reason


def test_the_head_is_the_newest_block(peer: FakePeer, ledger: FabricLedger) -> None:
    head = ledger.head()
    assert (head.height, head.hash, head.time) == (2, header_hash(peer.blocks[-1].header), NOW + 2)
    assert head.transactions == ("0x22",)
    assert ledger.block(2) == ledger.block(head.hash) == head
    assert ledger.block([2, 9, 0]) == [head, None, ledger.block(0)]
    assert ledger.block(b"\x99" * 32) is None


def test_a_head_that_did_not_move_is_not_read_again(peer: FakePeer, ledger: FabricLedger) -> None:
    ledger.head()
    before = len(peer.asked)
    ledger.head()
    assert len(peer.asked) == before + 1


def test_a_peer_below_what_we_have_seen_is_behind_not_reset(peer: FakePeer, ledger: FabricLedger) -> None:
    ledger.head()
    newest = peer.blocks.pop()
    assert reason(ledger.head) is Reason.BEHIND
    peer.blocks.append(newest)
    assert ledger.head().height == 2


def test_another_block_at_the_same_height_is_a_reset(peer: FakePeer, ledger: FabricLedger) -> None:
    ledger.head()
    peer.blocks[-1] = make_block(2, header_hash(peer.blocks[1].header), ("other", NOW, 0, None))
    assert reason(ledger.head) is Reason.RESET
    peer.append(("33", NOW, 0, None))
    assert reason(ledger.head) is Reason.RESET
    ledger.expect(None)
    assert ledger.head().height == 3


def test_a_head_in_the_future_is_refused(peer: FakePeer, ledger: FabricLedger) -> None:
    peer.append(("33", NOW + 1000, 0, None))
    assert reason(ledger.head) is Reason.BEHIND


@dataclass
class Ordering:
    """Has what is submitted in a block at once, or not at all. ``code``: of ``protos.TxValidationCode``."""

    peer: FakePeer
    ctx: Context
    code: int = 0
    away: bool = False
    lost: bool = False
    made: int = 0

    def __post_init__(self) -> None:
        self.peer.on("Endorse", lambda _: message("gateway.EndorseResponse")(prepared_transaction={"payload": b"payload"}))
        self.peer.on("Submit", self.submit)
        self.peer.on("CommitStatus", self.status)

    def submit(self, request: Any) -> Any:
        if self.away:
            raise Refusal(grpc.StatusCode.UNAVAILABLE, "no orderers could successfully process transaction")
        if not self.lost:
            self.made += 1
            self.peer.append((request.transaction_id, int(self.ctx.clock()), self.code, None))
        return _submitted()

    def status(self, _: Any) -> Any:
        if self.lost:
            raise Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "it does not come")
        return message("gateway.CommitStatusResponse")(result=self.code, block_number=len(self.peer.blocks) - 1)


@pytest.fixture
def ordering(peer: FakePeer, ctx: Context) -> Ordering:
    return Ordering(peer, ctx)


@pytest.mark.parametrize(("age", "made"), [(0, 0), (LIMIT / 2, 0), (LIMIT / 2 + 1, 1), (LIMIT + 1, 1), (1e6, 1)])
def test_an_idle_channel_is_moved_by_who_asks(
    ordering: Ordering, ctx: Context, ledger: FabricLedger, age: float, made: int
) -> None:
    ctx.clock = lambda: NOW + 2 + age
    assert [ledger.head().height for _ in range(3)] == [2 + made] * 3
    assert ordering.made == made


@pytest.mark.parametrize("broken", [{"away": True}, {"lost": True}, {"code": 10}])
def test_an_old_head_that_nobody_moves_is_behind(
    ordering: Ordering, ctx: Context, ledger: FabricLedger, broken: dict[str, Any]
) -> None:
    for name, value in broken.items():
        setattr(ordering, name, value)
    ctx.clock = lambda: NOW + 2 + LIMIT - 1
    assert ledger.head().height == 2
    ctx.clock, ctx.beat_after = (lambda: NOW + 1e6), float("-inf")
    assert reason(ledger.head) is Reason.BEHIND
    ordering.away = ordering.lost = False
    ordering.code, ctx.beat_after = 0, float("-inf")
    assert ledger.head().time == NOW + 1e6


def test_what_cannot_be_moved_is_not_tried_again_at_once(ordering: Ordering, ctx: Context, ledger: FabricLedger) -> None:
    ordering.away = True
    ctx.clock = lambda: NOW + 1e6
    for _ in range(5):
        assert reason(ledger.head) is Reason.BEHIND
    assert ordering.peer.asked.count("Submit") == 1


def test_many_who_ask_at_once_move_it_once(ordering: Ordering, ctx: Context, ledger: FabricLedger) -> None:
    ctx.clock = lambda: NOW + 1e6
    with ThreadPoolExecutor(8) as pool:
        heads = list(pool.map(lambda _: ledger.head().height, range(8)))
    assert heads == [3] * 8


def test_a_head_half_as_old_as_it_may_be_does_for_those_who_do_not_move_it(
    ordering: Ordering, ctx: Context, ledger: FabricLedger
) -> None:
    ctx.clock = lambda: NOW + 2 + LIMIT - 1
    with ctx.beating:
        assert ledger.head().height == 2


def test_an_older_state_is_not_to_be_had(ledger: FabricLedger) -> None:
    call = Call("Evidence", "countOf", {"organisation": bytes(32)})
    assert reason(lambda: ledger.read(call, at=1)) is Reason.NOT_FOUND
    assert reason(lambda: ledger.read(call, at=b"\x01" * 32)) is Reason.NOT_FOUND


def many(peer: FakePeer, answer: bytes, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Have questions to the chaincode answered with this; what happens meanwhile."""

    def asked(request: Any) -> Any:
        if called(request)[0].startswith("Get"):
            return peer.ledger(request)
        meanwhile()
        return message("gateway.EvaluateResponse")(result={"status": 200, "payload": answer})

    peer.on("Evaluate", asked)


COUNT = Call("Evidence", "countOf", {"organisation": bytes(32)})


def test_many_questions_are_one_proposal(peer: FakePeer, ledger: FabricLedger) -> None:
    head = ledger.head()
    many(peer, b'[1,"9007199254740993",3]')
    peer.asked.clear()
    assert ledger.read_many([COUNT] * 3, at=head.hash) == [1, 9007199254740993, 3]
    assert peer.asked == ["Evaluate"] * 2  # the questions, and that the head is still the same
    many(peer, b"[1,2]", meanwhile=lambda: peer.append((f"{len(peer.blocks)}", NOW, 0, None)))
    assert ledger.read_many([COUNT] * 2) == [1, 2]  # one simulation is one state, whatever comes in between
    assert reason(lambda: ledger.read_many([COUNT] * 2, at=ledger.head().hash)) is Reason.NOT_FOUND


def test_writes_that_are_tried_out_and_never_meet_one_state_are_given_up(peer: FakePeer, ledger: FabricLedger) -> None:
    many(peer, b"1", meanwhile=lambda: peer.append((f"{len(peer.blocks)}", NOW, 0, None)))
    assert reason(lambda: ledger.read_many([RECORD] * 2)) is Reason.BEHIND


def test_outcomes_follow_the_block(peer: FakePeer, ctx: Context, ledger: FabricLedger) -> None:
    sent = Prepared(b"", "0xaa", "", 0)
    assert ledger.outcome("0xaa").status == "unknown"
    peer.on("Submit", lambda _: _submitted())
    ledger.submit(sent)
    assert ledger.outcome("0xaa").status == "pending"
    peer.append(("aa", NOW, 0, None), ("bb", NOW, 11, None), ("cc", NOW, 10, None))
    outcomes = ledger.outcome(["0xaa", "0xbb", "0xcc", "0xdd"])
    assert [(o.status, o.reason) for o in outcomes] == [
        ("committed", None), ("failed", Reason.CONFLICT), ("failed", Reason.ENDORSEMENT), ("unknown", None),
    ]  # fmt: skip
    assert outcomes[1].height == 3


def _submitted() -> Any:
    return message("gateway.SubmitResponse")()


def test_each_of_many_has_its_own_answer(peer: FakePeer, ledger: FabricLedger) -> None:
    def submit(request: Any) -> Any:
        if request.transaction_id == "bb":
            raise Refusal(grpc.StatusCode.ABORTED, "info=message payload is 9 bytes and exceeds maximum allowed 1 bytes")
        return _submitted()

    peer.on("Submit", submit)
    answers = ledger.submit([Prepared(b"", f"0x{n}", "", 0) for n in ("aa", "bb", "cc")])
    assert isinstance(answers[1], LedgerError)
    assert (answers[1].reason, answers[1].stage, answers[1].transaction) == (Reason.TOO_LARGE, "submit", "0xbb")
    assert [a.id for a in answers if not isinstance(a, LedgerError)] == ["0xaa", "0xcc"]


def test_a_second_copy_is_kept_back_while_the_first_may_arrive(
    peer: FakePeer, ctx: Context, ledger: FabricLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.on("Submit", lambda _: _submitted())
    sent = Prepared(b"", "0xaa", "", 0)
    for _ in range(3):
        ledger.submit(sent)
    assert peer.asked.count("Submit") == 1
    monkeypatch.setitem(ctx.sent, "0xaa", float("-inf"))
    assert ledger.outcome("0xaa").status == "unknown"
    ledger.submit(sent)
    assert peer.asked.count("Submit") == 2
    peer.append(("aa", NOW, 0, None))
    monkeypatch.setitem(ctx.sent, "0xaa", float("-inf"))
    ledger.submit(sent)
    assert peer.asked.count("Submit") == 2


def test_peers_that_disagree_for_a_moment_are_asked_again(peer: FakePeer, ledger: FabricLedger) -> None:
    said = iter([Refusal(grpc.StatusCode.ABORTED, "failed to collect enough transaction endorsements")] * 2)

    def endorse(_: Any) -> Any:
        no = next(said, None)
        if no is not None:
            raise no
        return message("gateway.EndorseResponse")(prepared_transaction={"payload": b"payload"})

    peer.on("Endorse", endorse)
    assert ledger.prepare(RECORD).raw
    assert peer.asked.count("Endorse") == 3


def test_peers_that_go_on_disagreeing_are_a_reason(peer: FakePeer, ledger: FabricLedger) -> None:
    def endorse(_: Any) -> Any:
        raise Refusal(grpc.StatusCode.ABORTED, "failed to collect enough", ("ProposalResponsePayloads do not match",))

    peer.on("Endorse", endorse)
    with pytest.raises(LedgerError) as raised:
        ledger.prepare(RECORD)
    assert (raised.value.reason, raised.value.stage) == (Reason.ENDORSEMENT, "endorse")
    assert raised.value.transaction
    assert peer.asked.count("Endorse") == len(PAUSES) + 1


def test_a_call_that_only_reads_is_never_ordered(peer: FakePeer, ledger: FabricLedger) -> None:
    assert reason(lambda: ledger.prepare(Call("Evidence", "countOf", {"organisation": bytes(32)}))) is Reason.INVALID_ARGUMENT
    assert peer.asked == []


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "other"},
        {"version": 2},
        {"organisations": [{"msp": "A", "peers": []}, {"msp": "A", "peers": []}]},
        {"channel": None},
    ],
)
def test_what_is_no_profile_says_why(changes: dict[str, Any], tmp_path: Any) -> None:
    doc = {"kind": "healthtrust/fabric-profile", "version": 1, "channel": "health", "organisations": [], **changes}
    path = tmp_path / "profile.json"
    path.write_text(json.dumps({k: v for k, v in doc.items() if v is not None}))
    assert reason(lambda: Profile.read(path)) is Reason.INVALID_ARGUMENT
    assert reason(lambda: Profile.read(tmp_path / "none.json")) is Reason.NOT_FOUND


def test_another_channel_or_genesis_is_the_wrong_chain(peer: FakePeer) -> None:
    profile = Profile("health", {"Org1MSP": (peer.peer,)})
    who = somebody()

    def opening(channel: str, genesis: bytes) -> Any:
        deployment = Deployment(
            channel=channel, chaincode="cc", genesis=genesis, ledger_id=bytes(32), block=1, contracts={"Alliance": "0x00"}
        )
        return lambda: connect(profile, deployment, who, Limits(60.0))

    assert reason(opening("other", bytes(32))) is Reason.WRONG_CHAIN
    assert reason(opening("health", bytes(32))) is Reason.WRONG_CHAIN


def test_expecting_a_block_that_is_there_is_no_error(ledger: FabricLedger) -> None:
    known = ledger.block(0)
    assert isinstance(known, Block)
    ledger.expect(known)
    assert ledger.head().height == 2
