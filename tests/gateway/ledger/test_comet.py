"""What a CometBFT node says otherwise than Ethereum's: its index comes after its blocks, its pool is shown in part, its chain
begins at block 1. A write must never be taken for lost meanwhile: it would be sent twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from eth_account import Account

from gateway.ledger.evm import outcome as outcomes
from gateway.ledger.evm.abi import Abis
from gateway.ledger.evm.context import Context, transaction_id
from gateway.ledger.evm.ledger import EvmLedger
from gateway.ledger.evm.rpc import Request, Rpc, RpcError
from gateway.ledger.port import LedgerInfo, Prepared, Sent
from gateway.ledger.reasons import LedgerError, Reason

RAW = b"signed"
ID = transaction_id(RAW)
WRITE = Prepared(RAW, ID, "0x" + "11" * 20, 7)
NOT_FOUND = RpcError(-32000, "GetTxByEthHash: ethereum tx not found")
USED = RpcError(-32000, "invalid nonce; got 7, expected 8: invalid sequence: invalid sequence")


class Scripted(Rpc):
    """A node that says what a table says; a missing method is null."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {"eth_blockNumber": "0x2", "eth_getTransactionReceipt": NOT_FOUND, **answers}

    def call(self, method: str, *params: Any) -> Any:
        (answer,) = self.batch([(method, list(params))])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def batch(self, requests: list[Request]) -> list[Any]:  # type: ignore[override]
        return [self._answer(method, params) for method, params in requests]

    def _answer(self, method: str, params: list[Any]) -> Any:
        answer = self.answers.get(method)
        if isinstance(answer, LedgerError):
            raise answer
        return answer(*params) if isinstance(answer, Callable) else answer  # type: ignore[arg-type]


def ledger(comet: bool = True, **answers: Any) -> EvmLedger:
    info = LedgerInfo("evm", bytes(32), 1, {}, bytes(32), WRITE.account, 0)
    account = Account.create()
    return EvmLedger(Context(Scripted(**answers), Abis(), info, 30.0, account, comet=comet))


def blocks(*with_transaction: int) -> Callable[[str, bool], dict[str, Any]]:
    """Blocks as the node shows them; those with the given heights hold our transaction."""

    def block(height: str, _: bool) -> dict[str, Any]:
        number = max(1, int(height, 16))
        held = [ID] if number in with_transaction else []
        return {
            "number": hex(number), "hash": f"0x{number:064x}", "parentHash": f"0x{number - 1:064x}", "timestamp": "0x64",
            "transactions": held,
        }  # fmt: skip

    return block


def test_an_error_that_says_not_found_is_unknown_any_other_is_no_answer() -> None:
    assert ledger(eth_getBlockByNumber=blocks()).outcome(ID).status == "unknown"
    broken = ledger(eth_getTransactionReceipt=RpcError(-32000, "block result not found at height 9"))
    with pytest.raises(LedgerError):
        broken.outcome(ID)
    with pytest.raises(LedgerError):
        ledger(eth_getTransactionByHash=RpcError(-32603, "internal")).outcome(ID)


def test_what_stands_in_a_young_block_is_pending_until_the_index_has_it() -> None:
    assert ledger(eth_getBlockByNumber=blocks(1)).outcome(ID).status == "pending"
    assert ledger(comet=False, eth_getBlockByNumber=blocks(1)).outcome(ID).status == "unknown"


def receipt(id: str, block: int) -> dict[str, Any]:
    return {"transactionHash": id, "blockNumber": hex(block), "blockHash": f"0x{block:064x}", "status": "0x1", "logs": []}


@pytest.mark.parametrize("indexed", [True, False])
def test_receipts_of_many_are_asked_for_by_the_block(indexed: bool) -> None:
    """A hundred writes in two blocks, and twenty that wait: a handful of single questions. Where a block's index is not complete
    the single questions go on."""
    ids = [f"0x{n:064x}" for n in range(120)]
    where = {id: 1 + n // 50 for n, id in enumerate(ids[:100])}
    single: list[str] = []

    def one(id: str) -> Any:
        single.append(id)
        return receipt(id, where[id]) if id in where else NOT_FOUND

    def whole(block: str) -> Any:
        if not indexed:
            return RpcError(-32000, "failed to get transaction receipt")
        return [receipt(id, at) for id, at in where.items() if hex(at) == block]

    answers = {"eth_getTransactionReceipt": one, "eth_getBlockReceipts": whole, "eth_getBlockByNumber": blocks()}
    found = ledger(**answers).outcome(ids)
    assert [(o.id, o.status, o.height) for o in found[:100]] == [(id, "committed", at) for id, at in where.items()]
    assert {o.status for o in found[100:]} == {"unknown"}
    assert len(single) == len(set(single))
    assert (len(single) < 30) is indexed


def test_what_the_node_took_a_moment_ago_is_pending_though_it_does_not_list_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sending = ledger(eth_sendRawTransaction=ID, eth_getBlockByNumber=blocks())
    sending.submit(WRITE)
    assert sending.outcome(ID).status == "pending"
    later = time.monotonic() + outcomes.TAKEN_SECONDS
    monkeypatch.setattr("gateway.ledger.evm.outcome.time.monotonic", lambda: later)
    assert sending.outcome(ID).status == "unknown"


def test_a_used_nonce_is_no_error_when_our_own_write_used_it() -> None:
    assert isinstance(ledger(eth_sendRawTransaction=USED, eth_getBlockByNumber=blocks(2)).submit(WRITE), Sent)
    with pytest.raises(LedgerError) as raised:
        ledger(eth_sendRawTransaction=USED, eth_getBlockByNumber=blocks()).submit(WRITE)
    assert raised.value.reason is Reason.NONCE


def test_where_it_cannot_be_found_out_who_used_the_nonce_the_write_is_not_given_up() -> None:
    silent = LedgerError(Reason.TIMEOUT)
    (answer,) = ledger(eth_sendRawTransaction=USED, eth_getTransactionByHash=silent).submit([WRITE])
    assert isinstance(answer, LedgerError)
    assert (answer.reason, answer.stage, answer.transaction) == (Reason.TIMEOUT, "submit", ID)


def test_a_chain_that_begins_at_block_1_has_a_block_0_that_is_its_parent() -> None:
    node = ledger(eth_getBlockByNumber=blocks())
    zero, one = node.block([0, 1])
    assert zero is not None
    assert one is not None
    assert (zero.height, zero.hash, zero.transactions) == (0, one.parent, ())
    assert node.block(0) == zero


def proved_by(answer: Any) -> Any:
    """What ``proof`` makes of a node's answer, for block 1."""
    info = LedgerInfo("evm", bytes(32), 1, {"Consent": WRITE.account}, bytes(32), WRITE.account, 0)
    node = Scripted(eth_getBlockByNumber=blocks(), comet_getProof=answer)
    return EvmLedger(Context(node, Abis(), info, 30.0, None, comet=True)).proof("Consent", [bytes(32)], 1)


def test_a_node_of_another_program_has_no_proofs() -> None:
    assert proved_by(RpcError(-32601, "the method comet_getProof does not exist/is not available")) is None


def test_a_header_that_does_not_hash_to_its_block_is_no_proof() -> None:
    parts = {"total": 1, "hash": "22" * 32}
    hashes = ("last_commit_hash", "data_hash", "validators_hash", "next_validators_hash", "consensus_hash", "app_hash")
    rest = dict.fromkeys((*hashes, "last_results_hash", "evidence_hash", "proposer_address"), "")
    last = {"hash": "11" * 32, "parts": parts}
    header = {
        "version": {"block": 11},
        "chain_id": "test-1",
        "height": 1,
        "time": "2026-01-02T03:04:05.6Z",
        "last_block_id": last,
    }
    commit = {"round": 0, "block_id": last, "signatures": []}
    shown = {"header": {**header, **rest}, "next": {**header, **rest}, "commit": commit, "validators": [], "storage": []}
    with pytest.raises(LedgerError, match="the header of block 1 does not hash to") as raised:
        proved_by(shown)
    assert raised.value.reason is Reason.INTERNAL
