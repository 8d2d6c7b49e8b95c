"""The Fabric driver: the port's methods, each in its own file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from gateway.ledger.fabric import block, events, head, outcome, prepare, read, submit
from gateway.ledger.fabric.context import Context
from gateway.ledger.fabric.open import close
from gateway.ledger.port import Block, Call, Event, LedgerInfo, LedgerProof, Outcome, Prepared, Sent
from gateway.ledger.reasons import LedgerError


class FabricLedger:
    """A chaincode on a Fabric channel, over our peers; thread-safe. Build it with :func:`gateway.ledger.factory.open_ledger`."""

    def __init__(self, context: Context) -> None:
        self._ctx = context

    def info(self) -> LedgerInfo:
        return self._ctx.info

    def head(self) -> Block:
        return head.head(self._ctx)

    @overload
    def block(self, height_or_hash: int | bytes) -> Block | None: ...
    @overload
    def block(self, height_or_hash: list[int]) -> list[Block | None]: ...
    def block(self, height_or_hash: int | bytes | list[int]) -> Block | list[Block | None] | None:
        if isinstance(height_or_hash, list):
            return block.blocks(self._ctx, height_or_hash)
        return block.block(self._ctx, height_or_hash)

    def read(self, call: Call, at: int | bytes | None = None) -> Any:
        return read.read(self._ctx, call, at)

    def read_many(self, calls: Sequence[Call], at: int | bytes | None = None) -> list[Any]:
        return read.read_many(self._ctx, calls, at)

    def prepare(self, call: Call, account: str | None = None, nonce: int | None = None) -> Prepared:
        return prepare.prepare(self._ctx, call, account, nonce)

    @overload
    def submit(self, prepared: Prepared) -> Sent: ...
    @overload
    def submit(self, prepared: list[Prepared]) -> list[Sent | LedgerError]: ...
    def submit(self, prepared: Prepared | list[Prepared]) -> Sent | list[Sent | LedgerError]:
        return submit.submit(self._ctx, prepared) if isinstance(prepared, Prepared) else submit.submit_many(self._ctx, prepared)

    @overload
    def outcome(self, id: str) -> Outcome: ...
    @overload
    def outcome(self, id: list[str]) -> list[Outcome]: ...
    def outcome(self, id: str | list[str]) -> Outcome | list[Outcome]:
        return outcome.outcome(self._ctx, id) if isinstance(id, str) else outcome.outcome_many(self._ctx, id)

    def events(self, from_height: int, to_height: int, contracts: Sequence[str] | None = None) -> Iterator[list[Event]]:
        return events.events(self._ctx, from_height, to_height, contracts)

    def proof(self, contract: str, slots: Sequence[bytes], at: int | bytes) -> LedgerProof | None:
        return None

    def expect(self, block: Block | None) -> None:
        head.expect(self._ctx, block)

    def close(self) -> None:
        close(self._ctx)
