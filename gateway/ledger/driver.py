"""A driver is a package of verbs, functions over its own context; this is the port's class over any such package."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, Generic, Protocol, TypeVar, overload

from gateway.ledger.port import Block, Call, Event, LedgerInfo, LedgerProof, Outcome, Prepared, Sent
from gateway.ledger.reasons import LedgerError

T = TypeVar("T")


class Opened(Protocol):
    """What every driver's context has."""

    info: LedgerInfo


C = TypeVar("C", bound=Opened)
C_contra = TypeVar("C_contra", bound=Opened, contravariant=True)


class Verbs(Protocol[C_contra]):
    """The functions of a driver, promised as in :class:`gateway.ledger.port.Ledger`; a module of that shape is one."""

    def head(self, ctx: C_contra, /) -> Block:
        """The newest block, checked."""

    def expect(self, ctx: C_contra, block: Block | None, /) -> None:
        """From now on the chain must contain this block."""

    def block(self, ctx: C_contra, height_or_hash: int | bytes, /) -> Block | None:
        """One block."""

    def blocks(self, ctx: C_contra, heights: Sequence[int], /) -> list[Block | None]:
        """Many, in one round trip."""

    def read_many(self, ctx: C_contra, calls: Sequence[Call], at: int | bytes | None, /) -> list[Any]:
        """Answers over one state."""

    def prepare(self, ctx: C_contra, call: Call, account: str | None, nonce: int | None, /) -> Prepared:
        """Sign without sending."""

    def submit_many(self, ctx: C_contra, prepared: list[Prepared], /) -> list[Sent | LedgerError]:
        """Send in order; each has its own answer."""

    def outcome_many(self, ctx: C_contra, ids: list[str], /) -> list[Outcome]:
        """Where writes stand."""

    def events(self, ctx: C_contra, first: int, last: int, contracts: Sequence[str] | None, /) -> Iterator[list[Event]]:
        """Events block by block."""

    def proof(self, ctx: C_contra, contract: str, slots: Sequence[bytes], at: int | bytes, /) -> LedgerProof | None:
        """Proof of storage, where the ledger has one."""

    def close(self, ctx: C_contra, /) -> None:
        """Let go of connections."""


class Shared(Generic[T]):
    """One question that many threads ask at once, put as seldom as their answers allow: nobody gets an answer to a question that
    was put before they came, and whoever comes while one is under way shares the next."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._joining = threading.Lock()
        self._asking = threading.Lock()
        self._next: Future[T] | None = None

    def __call__(self) -> T:
        """The answer to a question put after this call began. Raises what the question raises."""
        with self._joining:
            first = self._next is None
            answer = self._next = self._next or Future()
        if first:
            with self._asking:
                with self._joining:
                    self._next = None  # who comes from here on may not have this answer
                self._put(answer)
        return answer.result()

    def _put(self, answer: Future[T]) -> None:
        try:
            answer.set_result(self._ask())
        except BaseException as error:
            answer.set_exception(error)


class Driver(Generic[C]):
    """A ledger over the verbs of one driver. Thread-safe."""

    def __init__(self, context: C, verbs: Verbs[C]) -> None:
        self._ctx = context
        self._verbs = verbs
        self._head = Shared(lambda: verbs.head(context))

    def info(self) -> LedgerInfo:
        return self._ctx.info

    def head(self) -> Block:
        return self._head()

    @overload
    def block(self, height_or_hash: int | bytes) -> Block | None: ...
    @overload
    def block(self, height_or_hash: list[int]) -> list[Block | None]: ...
    def block(self, height_or_hash: int | bytes | list[int]) -> Block | list[Block | None] | None:
        if isinstance(height_or_hash, list):
            return self._verbs.blocks(self._ctx, height_or_hash)
        return self._verbs.block(self._ctx, height_or_hash)

    def read(self, call: Call, at: int | bytes | None = None) -> Any:
        return self.read_many([call], at)[0]

    def read_many(self, calls: Sequence[Call], at: int | bytes | None = None) -> list[Any]:
        return self._verbs.read_many(self._ctx, calls, at)

    def prepare(self, call: Call, account: str | None = None, nonce: int | None = None) -> Prepared:
        return self._verbs.prepare(self._ctx, call, account, nonce)

    @overload
    def submit(self, prepared: Prepared) -> Sent: ...
    @overload
    def submit(self, prepared: list[Prepared]) -> list[Sent | LedgerError]: ...
    def submit(self, prepared: Prepared | list[Prepared]) -> Sent | list[Sent | LedgerError]:
        if isinstance(prepared, list):
            return self._verbs.submit_many(self._ctx, prepared)
        answer = self._verbs.submit_many(self._ctx, [prepared])[0]
        if isinstance(answer, LedgerError):
            raise answer
        return answer

    @overload
    def outcome(self, id: str) -> Outcome: ...
    @overload
    def outcome(self, id: list[str]) -> list[Outcome]: ...
    def outcome(self, id: str | list[str]) -> Outcome | list[Outcome]:
        if isinstance(id, list):
            return self._verbs.outcome_many(self._ctx, id)
        return self._verbs.outcome_many(self._ctx, [id])[0]

    def events(self, from_height: int, to_height: int, contracts: Sequence[str] | None = None) -> Iterator[list[Event]]:
        return self._verbs.events(self._ctx, from_height, to_height, contracts)

    def proof(self, contract: str, slots: Sequence[bytes], at: int | bytes) -> LedgerProof | None:
        return self._verbs.proof(self._ctx, contract, slots, at)

    def expect(self, block: Block | None) -> None:
        self._verbs.expect(self._ctx, block)

    def close(self) -> None:
        self._verbs.close(self._ctx)
