"""The EVM driver against a real node, and against answers a node may give on a bad day."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from core.crypto import sm3
from core.words import kind_word
from gateway.ledger.abi import artifacts_dir, type_of
from gateway.ledger.evm import abi, rpc
from gateway.ledger.evm.context import Context
from gateway.ledger.evm.errors import to_ledger_error
from gateway.ledger.evm.ledger import EvmLedger
from gateway.ledger.evm.open import Deployment, Limits, connect
from gateway.ledger.evm.proof import header_rlp
from gateway.ledger.evm.rpc import Rpc, RpcError
from gateway.ledger.factory import open_ledger
from gateway.ledger.port import Call, Event
from gateway.ledger.reasons import LedgerError, Reason
from gateway.settings import Settings
from tests.support.chains import EvmChain
from tests.support.waiting import until
from tests.support.world import World

pytestmark = pytest.mark.node
KIND = kind_word("test")
EVIDENCE = Call("Evidence", "record", {"kind": KIND, "digest": KIND})


def deployment(world: World) -> Deployment:
    assert isinstance(world.chain, EvmChain)
    return Deployment.read(world.contracts_file)


def url(world: World) -> str:
    assert isinstance(world.chain, EvmChain)
    return world.chain.url


def reason_of(ask: Callable[[], Any]) -> LedgerError:
    with pytest.raises(LedgerError) as raised:
        ask()
    return raised.value


# is it the right chain


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"chain_id": 4242}, "chain id"), ({"genesis": b"\1" * 32}, "genesis"), ({"ledger_id": b"\1" * 32}, "ledger id")],
)
def test_another_chain_behind_the_address_is_refused(world: World, changes: dict[str, Any], named: str) -> None:
    error = reason_of(lambda: connect(url(world), replace(deployment(world), **changes), None, Limits()))
    assert (error.reason, named in error.detail) == (Reason.WRONG_CHAIN, True)


def test_a_chain_without_our_contracts_is_refused(world: World) -> None:
    empty = replace(
        deployment(world), contracts={name: f"0x{i:040x}" for i, name in enumerate(deployment(world).contracts, 1000)}
    )
    assert reason_of(lambda: connect(url(world), empty, None, Limits())).reason is Reason.WRONG_CHAIN


def test_a_missing_or_broken_contracts_file_says_so(tmp_path: Path) -> None:
    assert reason_of(lambda: Deployment.read(tmp_path / "contracts.json")).reason is Reason.NOT_FOUND
    (tmp_path / "contracts.json").write_text("{}")
    assert reason_of(lambda: Deployment.read(tmp_path / "contracts.json")).reason is Reason.INVALID_ARGUMENT


def test_the_factory_opens_what_the_settings_name(world: World, tmp_path: Path) -> None:
    assert isinstance(world.chain, EvmChain)
    (tmp_path / "contracts.json").write_bytes(world.contracts_file.read_bytes())
    settings = Settings(home=tmp_path, ledger={"url": world.chain.url})  # type: ignore[arg-type]
    ledger = open_ledger(settings, world.hospital.key)
    assert ledger.info() == world.hospital.ledger.info()
    ledger.close()


def test_production_refuses_the_double(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, ledger={"kind": "memory"})  # type: ignore[arg-type]
    settings.production = True
    with pytest.raises(ValueError, match="production"):
        open_ledger(settings)


# proofs


def test_every_header_hashes_to_its_block(world: World) -> None:
    """Else no outsider could check a proof. Covers the fields up to Prague, in empty and in full blocks."""
    node = Rpc(url(world), 10)
    height = world.ledger.head().height
    blocks = [node.call("eth_getBlockByNumber", hex(h), False) for h in range(height + 1)]
    assert any(b["transactions"] for b in blocks)
    assert "requestsHash" in blocks[-1]
    for block in blocks:
        assert "0x" + keccak(header_rlp(block)).hex() == block["hash"]
    node.close()


def test_a_proof_leads_from_the_header_to_the_word(world: World) -> None:
    resident, doctor = world.resident(), world.practitioner(world.hospital)
    consent = world.grant(resident, world.scope(resident, doctor))
    base = int.from_bytes(keccak(consent.consent + bytes(32)), "big")
    slots = [(base + i).to_bytes(32, "big") for i in range(2)]
    head = world.ledger.head()
    for at in (head.height, head.hash):
        proof = world.ledger.proof("Consent", slots, at)
        assert proof is not None
        assert proof.block.hash == head.hash == keccak(proof.header)
        assert [s.value for s in proof.storage] == [resident.subject, consent.scope.commitment(consent.salt)]
        state_root = _items(proof.header)[3]
        account = _items(_walk(state_root, keccak(bytes.fromhex(proof.address[2:])), proof.account_proof))
        for word in proof.storage:
            leaf = _walk(account[2], keccak(word.slot), word.proof)
            assert _string(leaf).rjust(32, b"\0") == word.value


def test_a_proof_of_an_unknown_block_is_not_found(world: World) -> None:
    assert reason_of(lambda: world.ledger.proof("Consent", [bytes(32)], b"\1" * 32)).reason is Reason.NOT_FOUND


def _items(data: bytes) -> list[bytes]:
    """Items of an RLP list; nested lists stay encoded."""
    body, items = _string(data), []
    while body:
        size, start = _span(body)
        items.append(body[:size] if body[0] >= 0xC0 else body[start:size])
        body = body[size:]
    return items


def _string(data: bytes) -> bytes:
    size, start = _span(data)
    return data[start:size]


def _span(data: bytes) -> tuple[int, int]:
    """End and start of the first item's content."""
    first = data[0]
    if first < 0x80:
        return 1, 0
    base, short = (0x80, 0xB7) if first < 0xC0 else (0xC0, 0xF7)
    if first <= short:
        return 1 + first - base, 1
    size = first - short
    return 1 + size + int.from_bytes(data[1 : 1 + size], "big"), 1 + size


def _walk(root: bytes, key: bytes, nodes: tuple[bytes, ...]) -> bytes:
    """Value at the key of a Merkle-Patricia tree (yellow paper, appendix D)."""
    path = key.hex()
    for node in nodes:
        assert keccak(node) == root, "a node of the proof is not the one its parent names"
        items = _items(node)
        if len(items) == 17:
            root, path = items[int(path[0], 16)], path[1:]
            continue
        flags = int(items[0].hex()[0], 16)
        part = items[0].hex()[1 if flags & 1 else 2 :]
        assert path.startswith(part)
        root, path = items[1], path[len(part) :]
        if flags & 2:
            assert path == ""
            return root
    raise AssertionError("the proof ends before a leaf")


# what a bad node says


@contextmanager
def talking(answer: Callable[[Any], Any]) -> Iterator[str]:
    """A node that answers each JSON-RPC call as told; None = no answer for a while."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            given = answer(request)
            if given is None:
                time.sleep(2)
                return
            status, body = given if isinstance(given, tuple) else (200, json.dumps(given).encode())
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, Reason.TIMEOUT),
        ((413, b"too large"), Reason.TOO_LARGE),
        ((502, b"<html>bad gateway</html>"), Reason.INTERNAL),
        ([1, 2], Reason.INTERNAL),
    ],
)
def test_a_bad_answer_has_its_reason(answer: Any, reason: Reason) -> None:
    with talking(lambda _: answer) as address:
        assert reason_of(lambda: Rpc(address, 0.3 if answer is None else 60).call("eth_chainId")).reason is reason


def test_a_closed_port_is_unreachable() -> None:
    assert reason_of(lambda: Rpc("http://127.0.0.1:9", 1).call("eth_chainId")).reason is Reason.UNREACHABLE


def test_answers_of_a_batch_are_put_in_order_and_none_may_be_missing() -> None:
    def shuffled(request: Any) -> Any:
        return [{"jsonrpc": "2.0", "id": r["id"], "result": r["method"]} for r in reversed(request)]

    with talking(shuffled) as address:
        assert Rpc(address, 60).batch([(m, []) for m in "abc"]) == ["a", "b", "c"]
    with talking(lambda request: shuffled(request)[:2]) as address:
        assert reason_of(lambda: Rpc(address, 60).batch([(m, []) for m in "abc"])).reason is Reason.INTERNAL


def test_large_batches_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def counting(request: Any) -> Any:
        sizes.append(len(request) if isinstance(request, list) else 1)
        listed = request if isinstance(request, list) else [request]
        answers = [{"jsonrpc": "2.0", "id": r["id"], "result": r["params"][0]} for r in listed]
        return answers if isinstance(request, list) else answers[0]

    monkeypatch.setattr(rpc, "MAX_BATCH_BYTES", 1000)
    monkeypatch.setattr(rpc, "MAX_BATCH_CALLS", 4)
    params = [f"{n:0>{600 if n == 3 else 5}}" for n in range(12)]
    with talking(counting) as address:
        assert Rpc(address, 60).batch([("m", [p]) for p in params]) == params
    assert sum(sizes) == 12
    assert max(sizes) <= 4


WORDS = [
    (-32003, "nonce too low", Reason.NONCE), (-32000, "nonce too high", Reason.NONCE),
    (-32000, "already known", Reason.DUPLICATE), (-32003, "transaction already imported", Reason.DUPLICATE),
    (-32000, "tx already exists in cache", Reason.DUPLICATE),
    (-32000, "replacement transaction underpriced", Reason.UNDERPRICED), (-32000, "transaction underpriced", Reason.UNDERPRICED),
    (-32003, "max fee per gas less than block base fee", Reason.UNDERPRICED),
    (-32000, "insufficient funds for gas * price + value", Reason.REJECTED),
    (-32000, "exceeds block gas limit", Reason.TOO_LARGE), (-32000, "intrinsic gas too low", Reason.TOO_LARGE),
    (-32000, "oversized data", Reason.TOO_LARGE), (-32005, "query returned more than 10000 results: too many", Reason.TOO_LARGE),
    (-32001, "Resource not found", Reason.NOT_FOUND), (-32000, "header not found", Reason.NOT_FOUND),
    (-32000, "missing trie node 1234 (path )", Reason.NOT_FOUND), (-32000, "request timed out", Reason.TIMEOUT),
    (-32602, "invalid argument 0: hex string without 0x prefix", Reason.INVALID_ARGUMENT),
    (3, "execution reverted", Reason.REJECTED), (-32603, "something nobody has seen", Reason.INTERNAL),
]  # fmt: skip


@pytest.mark.parametrize(("code", "message", "reason"), WORDS)
def test_words_of_nodes_become_reasons(code: int, message: str, reason: Reason) -> None:
    error = to_ledger_error(RpcError(code, message), abi.Abis(), "submit", "0x12")
    assert (error.reason, error.stage, error.transaction) == (reason, "submit", "0x12")


def test_custom_errors_are_named_with_their_values(world: World) -> None:
    abis = abi.load(sorted(deployment(world).contracts))
    data = keccak(text="WrongSequence(uint64,uint64)")[:4] + (7).to_bytes(32, "big") + (9).to_bytes(32, "big")
    for shape in ("0x" + data.hex(), {"data": "0x" + data.hex()}, {"result": "0x" + data.hex()}):
        error = to_ledger_error(RpcError(3, "execution reverted", shape), abis, "endorse")
        assert (error.reason, error.detail, error.error) == (Reason.REJECTED, "WrongSequence(7, 9)", "WrongSequence")
    unknown = to_ledger_error(RpcError(3, "execution reverted", "0xdeadbeef"), abis, "endorse")
    assert (unknown.reason, unknown.detail) == (Reason.REJECTED, "0xdeadbeef")
    text = keccak(text="Error(string)")[:4] + (32).to_bytes(32, "big") + (2).to_bytes(32, "big") + b"no".ljust(32, b"\0")
    assert abis.error(text) == "Error(no)"
    assert abis.error(data[:10]) == "WrongSequence"


def test_a_kept_alive_connection_that_was_closed_is_opened_again(tmp_path: Path) -> None:
    from network.evm.node import Node

    with Node(tmp_path, 0, block_seconds=0.2) as node:
        client = Rpc(node.url, 60)
        chain = client.call("eth_chainId")
        node.stop()
        node.start()
        assert client.call("eth_chainId") == chain
        client.close()


# the head


def patched(world: World, **changes: Any) -> tuple[EvmLedger, Context]:
    context = connect(url(world), deployment(world), world.hospital.key, Limits(**changes))
    return EvmLedger(context), context


def test_an_old_head_is_no_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, _ = patched(world, max_head_age=20)
    ledger.head()
    now = time.time()
    for clock in (now + 60, now - 60):
        monkeypatch.setattr("gateway.ledger.evm.head.time.time", lambda clock=clock: clock)
        for ask in (ledger.head, lambda: ledger.read(Call("Alliance", "name"))):
            assert reason_of(ask).reason is Reason.BEHIND
    ledger.close()


def test_a_write_is_settled_only_as_deep_as_the_finality_says(world: World) -> None:
    finality = 50  # some seconds: the write is seen on its way, however slowly this is run
    ledger, _ = patched(world, finality=finality)
    prepared = ledger.prepare(EVIDENCE)
    ledger.submit(prepared)
    seen = []

    def committed() -> bool:
        outcome = ledger.outcome(prepared.id)
        if outcome.height is not None:
            seen.append((outcome.status, ledger.head().height - outcome.height))
        return outcome.status == "committed"

    until(committed, pause=0.02)
    assert {s for s, depth in seen if depth < finality - 1} == {"pending"}
    assert seen[-1][1] >= finality
    ledger.close()


def test_with_finality_a_shallow_reorganisation_is_no_reset(world: World) -> None:
    """Only blocks that deep were relied on."""
    ledger, context = patched(world, finality=1000)
    ledger.head()
    assert context.expected is None
    instant, context = patched(world)
    head = instant.head()
    assert context.expected == head
    for opened in (ledger, instant):
        opened.close()


def test_events_are_decoded_as_the_reference_library_does(world: World) -> None:
    """Our own tables against eth_abi's decoding of the same logs."""
    from eth_abi.abi import decode

    resident, doctor = world.resident(), world.practitioner(world.hospital)
    world.grant(resident, world.scope(resident, doctor))
    world.anchor(world.hospital, sm3(b"root"), 3)
    ours: list[Event] = [e for b in world.ledger.events(0, world.ledger.head().height) for e in b]
    node = Rpc(url(world), 10)
    logs = node.call(
        "eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", "address": list(deployment(world).contracts.values())}
    )
    node.close()
    interfaces = {n: json.loads((artifacts_dir() / f"{n}.json").read_text())["abi"] for n in deployment(world).contracts}
    assert len(ours) == len(logs) > 50
    for event, log in zip(ours, logs, strict=True):
        (spec,) = [i for i in interfaces[event.contract] if i["type"] == "event" and i["name"] == event.name]
        plain = [p for p in spec["inputs"] if not p["indexed"]]
        values = decode([p["type"] for p in plain], bytes.fromhex(log["data"][2:]))
        values_by_name = dict(zip((p["name"] for p in plain), values, strict=True))
        for p, topic in zip((p for p in spec["inputs"] if p["indexed"]), log["topics"][1:], strict=True):
            values_by_name[p["name"]] = decode([p["type"]], bytes.fromhex(topic[2:]))[0]
        assert event.args == values_by_name


@given(st.lists(st.lists(st.binary(min_size=32, max_size=32), min_size=4, max_size=4), max_size=5), st.data())
def test_lists_of_structs_are_packed_and_cut_as_the_abi_says(queries: list[list[bytes]], data: st.DataObject) -> None:
    names = ("consent", "requester", "requesterOrganisation", "custodian")
    rows = [dict(zip(names, q, strict=True)) for q in queries]
    function = abi.load(["Consent"]).function("Consent", "statesOf", {"queries": rows})
    plain = abi_encode(["(bytes32,bytes32,bytes32,bytes32)[]"], [queries])
    assert function.encode({"queries": rows}) == function.selector + plain
    word, small, kind = st.binary(min_size=32, max_size=32), st.integers(0, 2**32 - 1), st.integers(0, 255)
    time = st.integers(0, 2**64 - 1)
    state = st.tuples(st.tuples(word, word, time, time, small, small, kind), kind, kind, st.tuples(word, small, time, time, kind))
    states = data.draw(st.lists(state, max_size=4))
    answer = abi_encode([type_of(function.outputs[0])], [states])
    assert [flat(s) for s in function.decode(answer)] == [[*s[0], s[1], s[2], *s[3]] for s in states]
    with pytest.raises(LedgerError, match="shorter"):
        function.decode(answer[:-1])


def flat(state: dict[str, Any]) -> list[Any]:
    """Leaves in the order of the ABI."""
    return [leaf for value in state.values() for leaf in (value.values() if isinstance(value, dict) else [value])]
