"""C001 – C029: the port itself. Every case runs on every driver and must say the same."""

from __future__ import annotations

import time

import pytest

from core.crypto import sm3
from core.words import kind_word
from gateway.ledger.port import Block, Call
from gateway.ledger.reasons import LedgerError, Reason
from tests.conformance.refusals import reason_of, with_args
from tests.support.world import World, await_outcome

KIND = kind_word("conformance")
DUTIES = {"Alliance", "Registry", "Identity", "Schema", "DataIndex", "Consent", "Access", "Workflow", "Evidence"}


def require_nonces(world: World) -> None:
    if world.ledger.info().endorses:
        pytest.skip("accounts of this ledger have no nonces")


def evidence(text: str) -> Call:
    return Call("Evidence", "record", {"kind": KIND, "digest": sm3(text.encode())})


def test_c001_info_names_ledger_contracts_and_account(common: World) -> None:
    info = common.ledger.info()
    assert info.kind == common.chain.kind
    assert set(info.contracts) >= DUTIES
    assert info.ledger_id == common.ledger.read(Call("Alliance", "ledgerId"))
    assert len(info.genesis) == 32
    assert info.account == info.account.lower()
    assert common.ledger.read(Call("Alliance", "organisationOf", {"account": info.account})) == common.operator.id


def test_c002_the_head_is_new_and_grows(common: World) -> None:
    first = common.ledger.head()
    common.send((common.operator, evidence("c002")))
    second = common.ledger.head()
    assert second.height > first.height
    assert abs(second.time - time.time()) < 30


def test_c003_blocks_are_found_by_height_and_hash_and_form_a_chain(common: World) -> None:
    head = common.ledger.head()
    assert common.ledger.block(head.height) == common.ledger.block(head.hash) == head
    below = common.ledger.block(head.height - 1)
    assert below is not None
    assert (below.hash, below.height) == (head.parent, head.height - 1)
    assert below.time <= head.time


def test_c004_the_genesis_block_is_the_genesis_of_the_info(common: World) -> None:
    genesis = common.ledger.block(0)
    if genesis is not None and genesis.hash == bytes(32):
        genesis = common.ledger.block(1)  # the chain's own first block; 0 is only what it calls its parent
    assert genesis is not None
    assert genesis.hash == common.ledger.info().genesis


def test_c005_an_unknown_block_is_none(common: World) -> None:
    assert common.ledger.block(10**9) is None
    assert common.ledger.block(b"\x11" * 32) is None


@pytest.mark.parametrize(
    ("contract", "method", "args"),
    [
        ("Nothing", "record", {}),
        ("Evidence", "nothing", {}),
        ("Evidence", "record", {"kind": KIND}),
        ("Evidence", "record", {"kind": KIND, "digest": KIND, "more": 1}),
        ("Evidence", "record", {"kind": KIND, "digest": b"short"}),
        ("Evidence", "record", {"kind": KIND, "digest": 7}),
        ("Evidence", "record", {"kind": KIND, "digest": KIND + b"\0"}),
        ("Schema", "register", {"schemaId": KIND, "elements": 2**16, "supersedes": bytes(32)}),
        ("Schema", "register", {"schemaId": KIND, "elements": -1, "supersedes": bytes(32)}),
        ("Alliance", "setAccount", {"account": "0x12", "allowed": True, "r": bytes(32), "s": bytes(32)}),
    ],
)  # fmt: skip
def test_c006_a_call_that_does_not_fit_is_an_invalid_argument(
    common: World, contract: str, method: str, args: dict[str, object]
) -> None:
    call = Call(contract, method, dict(args))
    assert reason_of(lambda: common.ledger.read(call)) is Reason.INVALID_ARGUMENT
    assert reason_of(lambda: common.ledger.prepare(call)) is Reason.INVALID_ARGUMENT


def test_c007_one_output_is_a_value_several_a_dict_a_structure_a_dict(common: World) -> None:
    assert common.ledger.read(Call("Alliance", "name")) == common.name
    assert common.ledger.read(Call("Alliance", "governance")) == {"numerator": 1, "denominator": 2}
    state = common.ledger.read(Call("Identity", "credentialState", {"practitioner": KIND}))
    assert state == {"organisation": bytes(32), "roles": 0, "notBefore": 0, "notAfter": 0, "status": 0}
    assert isinstance(common.ledger.read(Call("Registry", "all")), list)


def test_c008_a_question_can_be_asked_of_an_earlier_block(common: World) -> None:
    count = Call("Evidence", "countOf", {"organisation": common.operator.id})
    before = common.ledger.read(count)
    outcome = common.send((common.operator, evidence("c008")))[0]
    assert outcome.height is not None
    assert outcome.block is not None
    if common.ledger.info().history:
        assert common.ledger.read(count, at=outcome.height - 1) == before
    else:
        assert reason_of(lambda: common.ledger.read(count, at=(outcome.height or 0) - 1)) is Reason.NOT_FOUND
    assert common.ledger.read(count, at=outcome.height) == before + 1
    assert common.ledger.read(count, at=outcome.block) == common.ledger.read(count) == before + 1


def test_c009_a_question_of_an_unknown_block_is_not_found(common: World) -> None:
    assert reason_of(lambda: common.ledger.read(Call("Alliance", "name"), at=b"\x11" * 32)) is Reason.NOT_FOUND


def test_c010_many_questions_are_answered_in_order_over_one_state(common: World) -> None:
    calls = [Call("Alliance", "statusOf", {"id": o.id}) for o in (*common.organisations,)]
    calls += [Call("Alliance", "name"), Call("Alliance", "statusOf", {"id": KIND})]
    assert common.ledger.read_many(calls) == [1, 1, 1, common.name, 0]
    assert common.ledger.read_many(calls, at=common.ledger.head().hash) == [1, 1, 1, common.name, 0]
    assert common.ledger.read_many([]) == []


def test_c011_one_refused_question_among_many_raises(common: World) -> None:
    bad = Call("Evidence", "evidenceOf", {"organisation": KIND, "number": 0})
    with pytest.raises(LedgerError) as raised:
        common.ledger.read_many([Call("Alliance", "name"), bad])
    assert (raised.value.reason, raised.value.error) == (Reason.REJECTED, "UnknownEvidence")


def test_c012_trying_a_write_out_writes_nothing(common: World) -> None:
    count = Call("Evidence", "countOf", {"organisation": common.operator.id})
    before = common.ledger.read(count)
    common.ledger.read(evidence("c012"))
    assert common.ledger.read(count) == before


def test_c013_a_reader_without_a_key_reads_but_does_not_sign(common: World) -> None:
    reader = common.open(None)
    assert reader.read(Call("Alliance", "name")) == common.name
    assert reader.info().account == ""
    assert reason_of(lambda: reader.prepare(evidence("c013"))) is Reason.INVALID_ARGUMENT
    reader.close()


def test_c014_another_account_is_not_signed_for(common: World) -> None:
    foreign = common.hospital.account
    assert reason_of(lambda: common.ledger.prepare(evidence("c014"), foreign)) is Reason.INVALID_ARGUMENT


def test_c015_the_id_is_known_before_sending_and_is_the_transactions(common: World) -> None:
    prepared = common.ledger.prepare(evidence("c015"))
    assert common.ledger.outcome(prepared.id).status == "unknown"
    assert common.ledger.submit(prepared).id == prepared.id
    outcome = await_outcome(common.ledger, prepared.id)
    assert outcome.status == "committed"
    block = common.ledger.block(outcome.height or -1)
    assert block is not None
    assert prepared.id in block.transactions
    assert block.hash == outcome.block


def test_c016_sending_the_same_bytes_again_is_no_error_and_does_nothing(common: World) -> None:
    count = Call("Evidence", "countOf", {"organisation": common.operator.id})
    before = common.ledger.read(count)
    prepared = common.ledger.prepare(evidence("c016"))
    common.ledger.submit(prepared)
    common.ledger.submit(prepared)
    await_outcome(common.ledger, prepared.id)
    common.ledger.submit(prepared)
    assert common.ledger.read(count) == before + 1


def test_c017_a_used_nonce_is_refused_with_reason_nonce(common: World) -> None:
    require_nonces(common)
    used = common.send((common.operator, evidence("c017")))
    assert used
    late = common.ledger.prepare(evidence("c017 late"), nonce=0)
    with pytest.raises(LedgerError) as raised:
        common.ledger.submit(late)
    assert (raised.value.reason, raised.value.stage, raised.value.transaction) == (Reason.NONCE, "submit", late.id)


def test_c018_a_later_nonce_waits_for_the_earlier(common: World) -> None:
    require_nonces(common)
    """In the node's pool, or with us where the node refuses a gap; it is done once, after the earlier."""
    first = common.ledger.prepare(evidence("c018 a"))
    second = common.ledger.prepare(evidence("c018 b"), nonce=first.nonce + 1)
    (early,) = common.ledger.submit([second])
    time.sleep(0.5)
    if isinstance(early, LedgerError):
        assert (early.reason, common.ledger.outcome(second.id).status) == (Reason.NONCE, "unknown")
    else:
        assert common.ledger.outcome(second.id).status == "pending"
    common.ledger.submit([first, second])
    assert await_outcome(common.ledger, first.id).status == await_outcome(common.ledger, second.id).status == "committed"


def test_c019_a_list_is_sent_in_one_go_each_with_its_own_answer(common: World) -> None:
    require_nonces(common)
    first = common.ledger.prepare(evidence("c019 a"))
    later = [common.ledger.prepare(evidence(f"c019 {n}"), nonce=first.nonce + n) for n in range(1, 5)]
    stale = common.ledger.prepare(evidence("c019 stale"), nonce=0)
    answers = common.ledger.submit([first, stale, *later])
    assert isinstance(answers[1], LedgerError)
    assert [a.id for a in answers if not isinstance(a, LedgerError)] == [p.id for p in (first, *later)]
    for p in (first, *later):
        await_outcome(common.ledger, p.id)
    outcomes = common.ledger.outcome([p.id for p in (first, stale, *later)])
    assert [o.status for o in outcomes] == ["committed", "unknown", *["committed"] * 4]
    places = [(e.height, e.index) for o in outcomes for e in o.events]
    assert places == sorted(places)


def test_c020_a_refused_write_says_why_and_reports_nothing(common: World) -> None:
    outcome = common.attempt((common.operator, with_args(evidence(""), digest=bytes(32))))[0]
    assert (outcome.status, outcome.reason, outcome.detail, outcome.events) == ("failed", Reason.REJECTED, "ZeroValue", ())
    assert (outcome.height is None) is common.ledger.info().endorses


def test_c021_events_come_in_whole_blocks_ascending(common: World) -> None:
    blocks = list(common.ledger.events(0, common.ledger.head().height))
    heights = [b[0].height for b in blocks]
    assert heights == sorted(set(heights))
    for block in blocks:
        assert {e.height for e in block} == {block[0].height}
        assert {e.block for e in block} == {block[0].block}
        indexes = [e.index for e in block]
        assert indexes == sorted(set(indexes))


def test_c022_an_event_says_where_it_is_from(common: World) -> None:
    outcome = common.send((common.operator, evidence("c022")))[0]
    assert outcome.height is not None
    (event,) = [e for b in common.ledger.events(outcome.height, outcome.height) for e in b if e.transaction == outcome.id]
    assert outcome.events == (event,)
    assert (event.contract, event.name, event.block) == ("Evidence", "EvidenceRecorded", outcome.block)
    assert event.args["digest"] == sm3(b"c022")
    assert event.args["organisation"] == common.operator.id


def test_c023_events_can_be_had_of_some_contracts(common: World) -> None:
    common.send((common.operator, evidence("c023")))
    head = common.ledger.head().height
    all_ = [e for b in common.ledger.events(0, head) for e in b]
    some = [e for b in common.ledger.events(0, head, ["Evidence", "Registry"]) for e in b]
    assert some == [e for e in all_ if e.contract in ("Evidence", "Registry")]
    assert {e.contract for e in some} == {"Evidence", "Registry"}


def test_c024_both_ends_of_a_range_belong_to_it(common: World) -> None:
    outcome = common.send((common.operator, evidence("c024")))[0]
    at = outcome.height or 0
    ids = lambda a, b: {e.transaction for block in common.ledger.events(a, b) for e in block}  # noqa: E731
    assert outcome.id in ids(at, at)
    assert outcome.id in ids(at - 3, at)
    common.send((common.operator, evidence("c024 later")))
    assert outcome.id not in ids(at + 1, common.ledger.head().height)
    assert outcome.id not in ids(at - 3, at - 1)
    assert ids(at, at - 1) == set()
    assert reason_of(lambda: ids(at, at + 10**6)) is Reason.NOT_FOUND


def test_c025_a_block_that_is_expected_but_not_there_is_a_reset(common: World) -> None:
    ledger = common.open(None)
    head = ledger.head()
    ledger.expect(Block(head.height, b"\x22" * 32, b"", head.time))
    for ask in (ledger.head, lambda: ledger.read(Call("Alliance", "name")), lambda: ledger.read_many([Call("Alliance", "name")])):
        assert reason_of(ask) is Reason.RESET
    assert ledger.read(Call("Alliance", "name"), at=head.hash) == common.name
    ledger.expect(None)
    assert ledger.head().height >= head.height
    ledger.close()


def test_c026_a_block_that_is_there_may_be_expected(common: World) -> None:
    ledger = common.open(None)
    known = ledger.block(1)
    ledger.expect(known)
    ledger.head()
    ledger.close()


def test_c027_what_nobody_has_heard_of_is_unknown(common: World) -> None:
    assert common.ledger.outcome("0x" + "33" * 32).status == "unknown"
    assert common.ledger.outcome([]) == []


def test_c029_a_list_of_heights_is_answered_in_order(common: World) -> None:
    head = common.ledger.head()
    heights = [head.height, 0, 10**9, 1]
    assert common.ledger.block(heights) == [common.ledger.block(h) for h in heights]
    assert common.ledger.block([]) == []


def test_c028_two_ledgers_opened_from_one_key_are_one_account(common: World) -> None:
    again = common.open(common.operator.key)
    assert again.info().account == common.operator.account
    prepared = again.prepare(evidence("c028"))
    again.submit(prepared)
    assert await_outcome(common.ledger, prepared.id).status == "committed"
    again.close()
