"""The ledger as everybody above sees it: twelve methods, plain data, one error with a closed reason.

A :class:`Call` means the same on every ledger: contract, method and argument names of docs/ledger.md. Drivers are synchronous
and may be used by many threads at once. Every failure is a :class:`gateway.ledger.reasons.LedgerError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, overload

from core.bundle import Commit, Endorsed
from gateway.ledger.reasons import LedgerError, Reason

Status = Literal["committed", "failed", "pending", "unknown"]


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a contract. ``args``: names as in docs/ledger.md; words are ``bytes``, numbers ``int``, accounts ``0x…`` text,
    structures ``dict``, arrays ``list``."""

    contract: str
    method: str
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A signed write, not sent. ``raw`` may be stored and sent later or again; ``id`` is known before sending (0x, lower case).

    ``nonce`` is the account's counter used for it, 0 on ledgers without one.
    """

    raw: bytes
    id: str
    account: str
    nonce: int


@dataclass(frozen=True, slots=True)
class Sent:
    """The ledger took it (which is not: it is on the ledger). ``at``: seconds since 1970."""

    id: str
    at: float


@dataclass(frozen=True, slots=True)
class Event:
    """What a contract reported. ``index`` counts from 0 within the block over all contracts."""

    contract: str
    name: str
    args: dict[str, Any]
    height: int
    block: bytes
    index: int
    transaction: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a write stands. ``committed`` and ``failed`` are final at the ledger's finality depth; ``pending`` with a height is
    on the ledger but not that deep yet; ``unknown`` means the node has never heard of it (or forgot)."""

    id: str
    status: Status
    height: int | None = None
    block: bytes | None = None
    reason: Reason | None = None
    detail: str = ""
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A block's place in the chain. ``time``: UTC seconds since 1970, as the contracts see it."""

    height: int
    hash: bytes
    parent: bytes
    time: int
    transactions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LedgerInfo:
    """Which ledger this is and who we are on it. ``contracts``: name → address; ``finality``: blocks on top until a write is
    final. What differs between kinds of ledgers, so that callers need not know kinds:

    ``history``: questions can be asked of earlier blocks, not only of the head. ``endorses``: ``prepare`` has the write carried
    out by the organisations' peers, so that refusals come from it, a write cannot build on one that is not settled, and there
    are no nonces.
    """

    kind: str
    ledger_id: bytes
    chain: int
    contracts: dict[str, str]
    genesis: bytes
    account: str
    finality: int
    history: bool = True
    endorses: bool = False


@dataclass(frozen=True, slots=True)
class StorageProof:
    """One storage word with its Merkle-Patricia path (RLP nodes, root first); on CometBFT two ICS-23 proofs instead."""

    slot: bytes
    value: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LedgerProof:
    """Contract storage at a block, checkable without a node: keccak256(``header``) is the block's hash, its state root leads over
    ``account_proof`` to the account (key keccak256(address)), whose storage root leads over each storage proof to the word.

    On CometBFT ``commit`` is signed by the validators and leads to the block, whose ``header`` is in their form, and to the root
    of its state. On Fabric, which has no such root, ``endorsed`` is all there is: answers of contracts, signed by most members'
    peers (docs/formats.md §9)."""

    contract: str
    address: str
    block: Block
    header: bytes
    account_proof: tuple[bytes, ...]
    storage: tuple[StorageProof, ...]
    commit: Commit | None = None
    endorsed: Endorsed | None = None


class Ledger(Protocol):
    """A ledger, seen from one organisation's account."""

    def info(self) -> LedgerInfo:
        """What this ledger is; does not ask the node again."""

    def head(self) -> Block:
        """The newest block. Raises ``behind`` when it is older than the set limit, ``reset`` when the chain no longer contains
        a block we have seen or were told to :meth:`expect`."""

    @overload
    def block(self, height_or_hash: int | bytes) -> Block | None: ...
    @overload
    def block(self, height_or_hash: list[int]) -> list[Block | None]: ...
    def block(self, height_or_hash: int | bytes | list[int]) -> Block | list[Block | None] | None:
        """A block of the chain as it is now, or None; a list of heights goes in one round trip."""

    def read(self, call: Call, at: int | bytes | None = None) -> Any:
        """Ask a contract: one output as it is, several as a dict by name. ``at``: block height or hash; None = the head,
        checked like :meth:`head`. A method that writes is tried out from our account without writing. Raises ``rejected`` with
        the error's name."""

    def read_many(self, calls: Sequence[Call], at: int | bytes | None = None) -> list[Any]:
        """Like :meth:`read` for many, over one state and in one round trip; a call's failure raises for all."""

    def prepare(self, call: Call, account: str | None = None, nonce: int | None = None) -> Prepared:
        """Sign a write without sending it. ``nonce`` None = the account's next one as this process knows it."""

    @overload
    def submit(self, prepared: Prepared) -> Sent: ...
    @overload
    def submit(self, prepared: list[Prepared]) -> list[Sent | LedgerError]: ...
    def submit(self, prepared: Prepared | list[Prepared]) -> Sent | list[Sent | LedgerError]:
        """Send it; the same bytes again are no error. A list goes in one round trip, and each entry has its own answer."""

    @overload
    def outcome(self, id: str) -> Outcome: ...
    @overload
    def outcome(self, id: list[str]) -> list[Outcome]: ...
    def outcome(self, id: str | list[str]) -> Outcome | list[Outcome]:
        """Where a write stands; never raises for a write that failed, only when the node cannot be asked."""

    def events(self, from_height: int, to_height: int, contracts: Sequence[str] | None = None) -> Iterator[list[Event]]:
        """Events of the blocks from … to (inclusive, ascending), one list for each block that has any. Raises not_found when the
        range goes beyond the head."""

    def proof(self, contract: str, slots: Sequence[bytes], at: int | bytes) -> LedgerProof | None:
        """Proof of storage words for outsiders, or None where the ledger has none. Where it ``endorses``, no contract is named
        and the slots are questions instead: ``Contract.method``, a zero byte, the arguments as JSON."""

    def expect(self, block: Block | None) -> None:
        """From now on the chain must contain this block, else :meth:`head` and reads at the head raise ``reset``. None: accept
        the chain as it is (after reconciling). Seen heads are expected by themselves."""

    def close(self) -> None:
        """Let go of connections."""
