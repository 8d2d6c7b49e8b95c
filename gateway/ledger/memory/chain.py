"""The chain of the in-memory double: blocks at once, transactions in nonce order, every earlier state readable."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from eth_utils.crypto import keccak

from core import crypto
from gateway.ledger import actions
from gateway.ledger.deployment import CONTRACTS
from gateway.ledger.memory.contracts import alliance
from gateway.ledger.memory.frame import Facts, Frame, Revert, find
from gateway.ledger.memory.store import Store
from gateway.ledger.port import Block, Call, Event, Outcome, Prepared
from gateway.ledger.reasons import LedgerError, Reason


@dataclass(frozen=True)
class Transaction:
    """A signed call, as it waits or was executed."""

    prepared: Prepared
    call: Call


@dataclass
class MemoryChain:
    """One alliance in this process. ``first``: the first member as (id, SM3 of its name, roles, x, y, account). ``clock``:
    UTC seconds."""

    name: str
    first: tuple[bytes, bytes, int, bytes, bytes, str]
    clock: Callable[[], float] = time.time
    facts: Facts = field(init=False)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _store: Store = field(default_factory=Store)
    _blocks: list[Block] = field(default_factory=list)
    _events: list[list[Event]] = field(default_factory=list)
    _outcomes: dict[str, Outcome] = field(default_factory=dict)
    _waiting: dict[str, dict[int, Transaction]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ledger_id = crypto.sm3(b"healthtrust/ledger/v1\0" + self.name.encode() + secrets.token_bytes(32))
        addresses = {n: "0x" + keccak(ledger_id + n.encode())[12:].hex() for n in CONTRACTS}
        self.facts = Facts(ledger_id, self.name, addresses)
        self._append([])
        self._append([self._deploy])

    @property
    def genesis(self) -> Block:
        """Block 0."""
        return self._blocks[0]

    def head(self) -> Block:
        """The newest block; an empty one is made when the last is a second old, as a node's block time would."""
        with self.lock:
            if self.clock() >= self._blocks[-1].time + 1:
                self._append([])
            return self._blocks[-1]

    def block(self, height_or_hash: int | bytes) -> Block | None:
        """A block, or None."""
        with self.lock:
            if isinstance(height_or_hash, int):
                return self._blocks[height_or_hash] if 0 <= height_or_hash < len(self._blocks) else None
            return next((b for b in reversed(self._blocks) if b.hash == height_or_hash), None)

    def events(self, from_height: int, to_height: int) -> list[list[Event]]:
        """Events by block."""
        with self.lock:
            if to_height > self._height:
                raise LedgerError(Reason.NOT_FOUND, detail=f"the head is {self._height}, events were asked up to {to_height}")
            return self._events[from_height : to_height + 1]

    def nonce(self, account: str) -> int:
        """The account's next nonce, counting what waits without a gap."""
        with self.lock:
            number: int = self._store.get(("nonce", account), self._height) or 0
            while number in self._waiting.get(account, {}):
                number += 1
            return number

    def view(self, call: Call, sender: str, height: int) -> Any:
        """The answer of a call on the state of a block; changes are thrown away. Raises Revert."""
        with self.lock:
            return _run(call, Frame(self._store, self.facts, height, self._blocks[height].time, sender))

    def submit(self, transactions: list[Transaction]) -> list[LedgerError | None]:
        """Take transactions and put those whose turn it is into one block. One answer each: None = taken."""
        with self.lock:
            answers = [self._take(t) for t in transactions]
            ready = self._ready()
            if ready:
                self._append([self._execution(t) for t in ready])
            return answers

    def outcome(self, id: str) -> Outcome:
        """Where a transaction stands."""
        with self.lock:
            waits = any(t.prepared.id == id for queue in self._waiting.values() for t in queue.values())
            return self._outcomes.get(id) or Outcome(id, "pending" if waits else "unknown")

    def rewind(self, height: int) -> None:
        """Forget all blocks after this one, as a node does that comes back from an older state."""
        with self.lock:
            del self._blocks[height + 1 :]
            del self._events[height + 1 :]
            self._store.rewind(height)
            self._outcomes = {i: o for i, o in self._outcomes.items() if (o.height or 0) <= height}
            self._waiting.clear()

    @property
    def _height(self) -> int:
        return len(self._blocks) - 1

    def _take(self, t: Transaction) -> LedgerError | None:
        p = t.prepared
        if p.id in self._outcomes:
            return None
        expected: int = self._store.get(("nonce", p.account), self._height) or 0
        if p.nonce < expected:
            return LedgerError(Reason.NONCE, "submit", p.id, "nonce too low")
        there = self._waiting.setdefault(p.account, {}).setdefault(p.nonce, t)
        if there.prepared.id != p.id:
            return LedgerError(Reason.UNDERPRICED, "submit", p.id, "another transaction waits with this nonce")
        return None

    def _ready(self) -> list[Transaction]:
        ready = []
        for account, queue in self._waiting.items():
            number: int = self._store.get(("nonce", account), self._height) or 0
            while number in queue:
                ready.append(queue.pop(number))
                number += 1
        return ready

    def _append(self, executions: list[Callable[[Block], list[Event]]]) -> None:
        parent = self._blocks[-1] if self._blocks else None
        height = parent.height + 1 if parent else 0
        at = max(int(self.clock()), parent.time if parent else 0)
        block = Block(height, secrets.token_bytes(32), parent.hash if parent else bytes(32), at)
        self._blocks.append(block)
        self._events.append([])
        for run in executions:
            self._events[-1] += [replace(e, index=len(self._events[-1]) + i) for i, e in enumerate(run(block))]
        self._blocks[-1] = replace(block, transactions=tuple(i for i, o in self._outcomes.items() if o.height == height))

    def _execution(self, t: Transaction) -> Callable[[Block], list[Event]]:
        def run(block: Block) -> list[Event]:
            p = t.prepared
            frame = Frame(self._store, self.facts, block.height, block.time, p.account)
            events: tuple[Event, ...] = ()
            try:
                if t.call.contract:
                    _run(t.call, frame)
            except Revert as e:
                failed = Outcome(p.id, "failed", block.height, block.hash, Reason.REJECTED, e.detail)
                self._outcomes[p.id] = failed
                frame.changes.clear()
            else:
                events = _events(frame, block, p.id)
                self._outcomes[p.id] = Outcome(p.id, "committed", block.height, block.hash, events=events)
            self._store.put(block.height, {**frame.changes, ("nonce", p.account): p.nonce + 1})
            return list(events)

        return run

    def _deploy(self, block: Block) -> list[Event]:
        """What a deployment does: the first member joins, and publishes every contract by its own vote."""
        frame = Frame(self._store, self.facts, block.height, block.time, self.first[-1])
        alliance.found(frame, self.first)
        for name in CONTRACTS:
            address = self.facts.addresses[name]
            published = actions.publish(self.facts.addresses["Registry"], name, address, 1)
            alliance.open_proposal(frame, self.first[0], **published.args)
        self._store.put(block.height, frame.changes)
        return list(_events(frame, block, "0x" + "00" * 32))


def _run(call: Call, frame: Frame) -> Any:
    method = find(call.contract, call.method)
    return method.run(frame, *method.values(call.args))


def _events(frame: Frame, block: Block, transaction: str) -> tuple[Event, ...]:
    return tuple(
        Event(contract, name, args, block.height, block.hash, i, transaction)
        for i, (contract, name, args) in enumerate(frame.events)
    )
