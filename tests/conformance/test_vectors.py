"""C110: every row of the decision vectors, asked through the port of the contract over exactly that ledger state.

Most states of the vectors (a suspended custodian, a consent of another subject, …) are put under the contract's code directly:
what is tested is the decision, not how the state came about.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from contracts.script.deploy import artifact
from core.hexes import to_bytes
from gateway.ledger.evm import abi
from gateway.ledger.memory.chain import MemoryChain
from gateway.ledger.memory.contracts.consent import Sealed
from gateway.ledger.memory.contracts.identity import Credential
from gateway.ledger.memory.contracts.members import Organisation
from gateway.ledger.port import Call
from gateway.ledger.reasons import Reason
from tests.conformance.refusals import reason_of
from tests.support.chains import DoubleChain, EvmChain, FabricChain
from tests.support.imposed import Imposed
from tests.support.validators import ValidatorChain
from tests.support.world import World, build_world

CONSENT = b"\x42" * 32
ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "shared" / "decision.json").read_text("utf-8"))["rows"]


def _impose(chain: MemoryChain, row: dict[str, Any]) -> None:
    """Make the double hold the row's state."""
    request, state = row["request"], row["state"]
    c, k = state["consent"], state["credential"]
    sealed = Sealed(
        to_bytes(c["subject"]), to_bytes(c["commitment"]), c["notBefore"], c["notAfter"], c["useLimit"], c["uses"], 0, c["status"]
    )
    held = Credential(to_bytes(k["organisation"]), bytes(32), bytes(32), k["roles"], k["notBefore"], k["notAfter"], k["status"])
    members = {request["organisation"]: state["organisation"]} | {request["custodian"]: state["custodian"]}
    changes: dict[tuple[Any, ...], Any] = {("Consent", "consent", CONSENT): sealed}
    changes[("Identity", "credential", to_bytes(request["requester"]))] = held
    changes |= {("Alliance", "organisation", to_bytes(id)): Organisation(status) for id, status in members.items()}
    chain._store.put(chain._height, changes)


def _storage(contracts: Mapping[str, str], row: dict[str, Any]) -> dict[tuple[str, int], int]:
    """The row's state as words of the contracts' storage."""
    request, state = row["request"], row["state"]
    return {
        **_struct(
            contracts["Consent"], "Consent", "_consents", CONSENT, {**state["consent"], "nonce": 0, "link": "0x" + "00" * 32}
        ),
        **_struct(contracts["Identity"], "Identity", "_credentials", to_bytes(request["requester"]), state["credential"]),
        **_struct(
            contracts["Alliance"],
            "Alliance",
            "_organisations",
            to_bytes(request["organisation"]),
            {"status": state["organisation"]},
        ),
        **_struct(
            contracts["Alliance"], "Alliance", "_organisations", to_bytes(request["custodian"]), {"status": state["custodian"]}
        ),
    }


def _struct(address: str, contract: str, variable: str, key: bytes, values: dict[str, Any]) -> dict[tuple[str, int], int]:
    """Storage words of a structure in a mapping, by the compiler's own layout; members without a value are zero."""
    layout = artifact(contract)["storageLayout"]
    (place,) = [v for v in layout["storage"] if v["label"] == variable]
    members = layout["types"][layout["types"][place["type"]]["value"]]["members"]
    base = int.from_bytes(keccak(key + int(place["slot"]).to_bytes(32, "big")), "big")
    words: dict[tuple[str, int], int] = {}
    for m in members:
        value = values.get(m["label"], 0)
        number = int(value, 16) if isinstance(value, str) else int(value)
        at = (address, base + int(m["slot"]))
        words[at] = words.get(at, 0) | number << (8 * m["offset"])
    return words


def _request(row: dict[str, Any]) -> dict[str, Any]:
    q = row["request"]
    ids = {name: to_bytes(q[name]) for name in ("subject", "requester", "custodian", "record", "schema")}
    numbers = {name: q[name] for name in ("role", "purpose", "category")}
    return {**ids, **numbers, "requesterOrganisation": to_bytes(q["organisation"]), "fields": int(q["fields"], 16)}


def _ask(row: dict[str, Any]) -> Call:
    args = {"request": _request(row), "consent": CONSENT, "salt": to_bytes(row["salt"]), "time": row["time"]}
    return Call("Consent", "decide", {**args, "scopeWords": to_bytes(row["words"], None)})


def _fits_the_contract(row: dict[str, Any]) -> bool:
    """A role, purpose or category beyond a byte, or a mask beyond a word, cannot be asked of a contract at all."""
    q = _request(row)
    return (
        max(q["role"], q["purpose"], q["category"]) < 256
        and min(q["role"], q["purpose"], q["category"]) >= 0
        and q["fields"] < 1 << 256
    )


def test_c110_the_contract_decides_every_vector_row_as_written(common: World) -> None:
    if isinstance(common.chain, FabricChain):
        pytest.skip("no state can be put into a Fabric ledger beside its chaincode, whose own tests run the same rows")
    rows = [row for row in ROWS if _fits_the_contract(row)]
    decided = _by_the_double(rows) if isinstance(common.chain, DoubleChain) else _by_the_contract(common, rows)
    wrong = []
    for row, answer in zip(rows, decided, strict=True):
        expected = row["expected"]
        wanted = {"outcome": expected["outcome"], "reason": expected["reason"], "fields": int(expected["fields"], 16)}
        if answer != wanted:
            wrong.append((row["name"], answer, wanted))
    assert wrong == []


def _by_the_double(rows: list[dict[str, Any]]) -> Iterator[Any]:
    world = build_world(chain := DoubleChain())
    assert chain.chain is not None
    for row in rows:
        _impose(chain.chain, row)
        yield world.ledger.read(_ask(row))
    world.close()


def _by_the_contract(world: World, rows: list[dict[str, Any]]) -> list[Any]:
    """The contract's code on a node of that chain, over storage made up for each row."""
    assert isinstance(world.chain, EvmChain | ValidatorChain)
    url = world.chain.url if isinstance(world.chain, EvmChain) else world.chain.network.urls[0]
    imposed = Imposed(url, world.ledger.info().contracts)
    calls = [_ask(row) for row in rows]
    decide = abi.load(["Consent"]).function("Consent", "decide", calls[0].args)
    asked = [(_storage(imposed.addresses, row), decide.encode(call.args)) for row, call in zip(rows, calls, strict=True)]
    answers = [decide.decode(answer) for answer in imposed.ask(asked)]
    imposed.close()
    return answers


def test_c111_what_does_not_fit_a_contract_is_an_invalid_argument(common: World) -> None:
    row = ROWS[0]
    call = _ask(row)
    changes: list[dict[str, Any]] = [
        {"role": 256},
        {"purpose": 256},
        {"category": -1},
        {"fields": 1 << 256},
        {"record": b"x"},
        {"more": 1},
    ]
    for change in changes:
        spoiled = Call(call.contract, call.method, {**call.args, "request": {**call.args["request"], **change}})
        assert reason_of(lambda spoiled=spoiled: common.ledger.read(spoiled)) is Reason.INVALID_ARGUMENT  # type: ignore[misc]
    less = {name: value for name, value in call.args["request"].items() if name != "record"}
    lacking = Call(call.contract, call.method, {**call.args, "request": less})
    assert reason_of(lambda: common.ledger.read(lacking)) is Reason.INVALID_ARGUMENT


def test_c112_most_rows_fit_the_contract() -> None:
    assert sum(map(_fits_the_contract, ROWS)) >= 400


@pytest.mark.parametrize("missing", ["request", "salt"])
def test_c113_a_decision_without_all_words_is_an_invalid_argument(common: World, missing: str) -> None:
    call = _ask(ROWS[0])
    args = {name: value for name, value in call.args.items() if name != missing}
    assert reason_of(lambda: common.ledger.read(Call("Consent", "decide", args))) is Reason.INVALID_ARGUMENT
