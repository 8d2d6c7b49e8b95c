"""The in-memory driver: the port over a chain in this process. A double for tests and for trying things out, never for
records of people."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any, overload

from coincurve import PrivateKey, PublicKey
from eth_utils.crypto import keccak

from gateway.ledger.memory.chain import MemoryChain, Transaction
from gateway.ledger.memory.frame import Revert, find
from gateway.ledger.port import Block, Call, Event, LedgerInfo, LedgerProof, Outcome, Prepared, Sent
from gateway.ledger.reasons import LedgerError, Reason
from gateway.ledger.wire import dump_call, load_call

log = logging.getLogger(__name__)

NO_ACCOUNT = "0x" + "00" * 20


class MemoryLedger:
    """One account's view of a :class:`MemoryChain`. Everything is lost when the process ends."""

    def __init__(self, chain: MemoryChain, account_key: bytes | None = None) -> None:
        log.warning(
            "the in-memory ledger is in use: nothing is kept, nobody else can check it, do not use it for people's records"
        )
        self._chain = chain
        self._key = PrivateKey(account_key) if account_key else None
        self._account = _address(self._key.public_key) if self._key else ""
        self._expected: Block | None = None

    def info(self) -> LedgerInfo:
        facts = self._chain.facts
        return LedgerInfo("memory", facts.ledger_id, 0, dict(facts.addresses), self._chain.genesis.hash, self._account, 0)

    def head(self) -> Block:
        head = self._chain.head()
        expected = self._expected
        if expected is not None and self._chain.block(expected.hash) is None:
            raise LedgerError(Reason.RESET, detail=f"block {expected.height} is no longer 0x{expected.hash.hex()}")
        self._expected = head
        return head

    @overload
    def block(self, height_or_hash: int | bytes) -> Block | None: ...
    @overload
    def block(self, height_or_hash: list[int]) -> list[Block | None]: ...
    def block(self, height_or_hash: int | bytes | list[int]) -> Block | list[Block | None] | None:
        if isinstance(height_or_hash, list):
            return [self._chain.block(h) for h in height_or_hash]
        return self._chain.block(height_or_hash)

    def read(self, call: Call, at: int | bytes | None = None) -> Any:
        head = self.head() if at is None else self._chain.block(at)
        if head is None:
            raise LedgerError(Reason.NOT_FOUND, detail="no such block")
        try:
            return self._chain.view(call, self._account or NO_ACCOUNT, head.height)
        except Revert as e:
            raise LedgerError(Reason.REJECTED, "endorse", None, e.detail) from e

    def read_many(self, calls: Sequence[Call], at: int | bytes | None = None) -> list[Any]:
        with self._chain.lock:
            where = self.head().height if at is None else at
            return [self.read(call, where) for call in calls]

    def prepare(self, call: Call, account: str | None = None, nonce: int | None = None) -> Prepared:
        if self._key is None:
            raise LedgerError(Reason.INVALID_ARGUMENT, detail="this ledger was opened without an account key: it only reads")
        if account is not None and account.lower() != self._account:
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"no key for account {account}; ours is {self._account}")
        if call.contract:
            find(call.contract, call.method).values(call.args)
        number = self._chain.nonce(self._account) if nonce is None else nonce
        body = f"{number}\n{dump_call(call)}".encode()
        raw = self._key.sign_recoverable(self._chain.facts.ledger_id + body) + body
        return Prepared(raw, "0x" + keccak(raw).hex(), self._account, number)

    @overload
    def submit(self, prepared: Prepared) -> Sent: ...
    @overload
    def submit(self, prepared: list[Prepared]) -> list[Sent | LedgerError]: ...
    def submit(self, prepared: Prepared | list[Prepared]) -> Sent | list[Sent | LedgerError]:
        if isinstance(prepared, list):
            errors = self._chain.submit([self._open(p) for p in prepared])
            return [e or Sent(p.id, time.time()) for p, e in zip(prepared, errors, strict=True)]
        answer = self.submit([prepared])[0]
        if isinstance(answer, LedgerError):
            raise answer
        return answer

    @overload
    def outcome(self, id: str) -> Outcome: ...
    @overload
    def outcome(self, id: list[str]) -> list[Outcome]: ...
    def outcome(self, id: str | list[str]) -> Outcome | list[Outcome]:
        return self._chain.outcome(id) if isinstance(id, str) else [self._chain.outcome(i) for i in id]

    def events(self, from_height: int, to_height: int, contracts: Sequence[str] | None = None) -> Iterator[list[Event]]:
        for block in self._chain.events(from_height, to_height):
            wanted = [e for e in block if contracts is None or e.contract in contracts]
            if wanted:
                yield wanted

    def proof(self, contract: str, slots: Sequence[bytes], at: int | bytes) -> LedgerProof | None:
        return None

    def expect(self, block: Block | None) -> None:
        self._expected = block

    def close(self) -> None:
        """Nothing to let go of."""

    def _open(self, prepared: Prepared) -> Transaction:
        """Who signed is who sends, whatever else ``prepared`` says."""
        signature, body = prepared.raw[:65], prepared.raw[65:]
        signer = PublicKey.from_signature_and_message(signature, self._chain.facts.ledger_id + body)
        number, _, call = body.decode().partition("\n")
        made = Prepared(prepared.raw, "0x" + keccak(prepared.raw).hex(), _address(signer), int(number))
        return Transaction(made, load_call(call))


def _address(key: PublicKey) -> str:
    return "0x" + keccak(key.format(compressed=False)[1:])[12:].hex()
