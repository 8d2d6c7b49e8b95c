"""Calls, answers and events as the chaincode's JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.ledger.deployment import CONTRACTS
from gateway.ledger.fabric.codec import MANY, OPENED, Codec, together
from gateway.ledger.memory.frame import METHODS
from gateway.ledger.memory.ledger import MemoryLedger
from gateway.ledger.port import Call
from gateway.ledger.reasons import LedgerError, Reason

WORD = bytes(range(32))
REQUEST: dict[str, Any] = {
    **dict.fromkeys(("subject", "requester", "requesterOrganisation", "custodian", "record", "schema"), WORD),
    "role": 1,
    "purpose": 2,
    "category": 3,
    "fields": 2**256 - 1,
}


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec.load(list(CONTRACTS))


def plain(codec: Codec, call: Call) -> Any:
    return json.loads(codec.encode(call).args[1])


def test_a_call_is_a_name_and_one_canonical_object(codec: Codec) -> None:
    made = codec.encode(Call("Evidence", "record", {"kind": WORD, "digest": WORD}))
    assert made.args == [b"Evidence.record", f'{{"digest":"0x{WORD.hex()}","kind":"0x{WORD.hex()}"}}'.encode()]
    assert made.transient == {}
    assert made.function.writes


def test_numbers_beyond_what_json_readers_hold_are_text(codec: Codec) -> None:
    def sent(number: int) -> Any:
        return plain(codec, Call("Alliance", "proposalOf", {"proposal": number}))["proposal"]

    assert [sent(n) for n in (0, 2**53 - 1, 2**53, 2**256 - 1)] == [0, 2**53 - 1, str(2**53), str(2**256 - 1)]


def test_opened_scopes_travel_only_beside_the_call(codec: Codec) -> None:
    opened = {"scopeWords": b"\x01\x02", "salt": WORD}
    one = codec.encode(Call("Consent", "decide", {"request": REQUEST, "consent": WORD, "time": 5, **opened}))
    assert json.loads(one.args[1]).keys() == {"request", "consent", "time"}
    assert json.loads(one.transient[OPENED]) == {"scopeWords": "0x0102", "salt": "0x" + WORD.hex()}
    ask = {"request": REQUEST, "consent": WORD, **opened}
    many = codec.encode(Call("Consent", "decideMany", {"asks": [ask, ask], "time": 5}))
    assert all(a.keys() == {"request", "consent"} for a in json.loads(many.args[1])["asks"])
    assert len(json.loads(many.transient[OPENED])) == 2
    assert not one.function.writes
    assert not many.function.writes


def test_no_method_but_decide_takes_what_must_not_be_written(codec: Codec) -> None:
    taking = {
        f"{f.contract}.{f.name}"
        for methods in codec.functions.table.values()
        for overloads in methods.values()
        for f in overloads
        if "scopeWords" in json.dumps(f.inputs)
    }
    assert taking == {"Consent.decide", "Consent.decideMany"}


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("Evidence.record", {"kind": WORD, "digest": WORD[:31]}),
        ("Evidence.record", {"kind": WORD, "digest": "0x00"}),
        ("Alliance.proposalOf", {"proposal": -1}),
        ("Alliance.proposalOf", {"proposal": 2**256}),
        ("Alliance.proposalOf", {"proposal": True}),
        ("Alliance.proposalOf", {"proposal": "1"}),
        ("Alliance.organisationOf", {"account": "0x12"}),
        ("Alliance.setAccount", {"account": "0x" + "11" * 20, "allowed": 1, "r": WORD, "s": WORD}),
        ("Consent.statesOf", {"queries": WORD}),
        ("Consent.statesOf", {"queries": [{"consent": WORD}]}),
        ("Consent.nothing", {}),
    ],
)
def test_what_does_not_fit_is_an_invalid_argument(codec: Codec, method: str, args: dict[str, Any]) -> None:
    with pytest.raises(LedgerError) as raised:
        codec.encode(Call(*method.split("."), args))
    assert raised.value.reason is Reason.INVALID_ARGUMENT


def test_answers_have_the_types_of_the_other_ledgers(codec: Codec) -> None:
    def decoded(contract: str, method: str, args: dict[str, Any], answer: Any) -> Any:
        return codec.decode(codec.functions.find(contract, method, args), json.dumps(answer).encode())

    assert decoded("Alliance", "ledgerId", {}, "0x" + WORD.hex()) == WORD
    assert decoded("Alliance", "governance", {}, {"numerator": "1", "denominator": 2}) == {"numerator": 1, "denominator": 2}
    assert decoded("Alliance", "organisationOf", {"account": ""}, "0x" + WORD.hex()) == WORD
    assert decoded("Consent", "statesOf", {"queries": []}, []) == []
    assert decoded("Alliance", "join", {"organisation": WORD}, None) is None


def test_every_event_of_a_transaction_is_told_with_its_types(codec: Codec) -> None:
    digest = "0x" + WORD.hex()
    args = {"organisation": digest, "number": "7", "kind": digest, "digest": digest}
    told = [{"contract": "Evidence", "name": "EvidenceRecorded", "args": args}, {"contract": "Odd", "name": "X", "args": {}}]
    assert codec.reported(json.dumps(told).encode()) == [
        ("Evidence", "EvidenceRecorded", {"organisation": WORD, "number": 7, "kind": WORD, "digest": WORD})
    ]


def test_the_double_and_the_chaincode_take_the_same_arguments(codec: Codec) -> None:
    assert MemoryLedger
    for contract, methods in METHODS.items():
        for name, method in methods.items():
            function = codec.functions.find(contract, name, dict.fromkeys(method.names))
            assert set(function.names) == set(method.names), f"{contract}.{name}"


def test_many_questions_are_pairs_of_one_proposal_with_what_each_opens(codec: Codec) -> None:
    deciding = Call("Consent", "decide", {"request": REQUEST, "consent": WORD, "time": 5, "scopeWords": b"\x01", "salt": WORD})
    asked = [codec.encode(c) for c in (Call("Alliance", "name"), deciding)]
    args, transient = together(asked)
    assert args == [MANY, b"Alliance.name", b"{}", b"Consent.decide", asked[1].args[1]]
    assert transient == {f"{OPENED}/1": asked[1].transient[OPENED]}
    answer = b'["x",{"outcome":1,"reason":2,"fields":"9007199254740993"}]'
    decided = {"outcome": 1, "reason": 2, "fields": 9007199254740993}
    assert codec.decode_many([i.function for i in asked], answer) == ["x", decided]
