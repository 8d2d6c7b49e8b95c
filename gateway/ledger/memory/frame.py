"""One execution: who calls, when, what it has changed and reported so far, and how contracts declare what they take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from eth_utils.crypto import keccak

from core.messages import domain
from gateway.ledger.memory.store import Key, Store
from gateway.ledger.reasons import LedgerError, Reason


class Revert(Exception):
    """A contract says no: an error's name and values, as in Solidity. Without a name: a revert without data."""

    def __init__(self, name: str = "", *values: Any) -> None:
        shown = ", ".join(f"0x{v.hex()}" if isinstance(v, bytes) else str(int(v) if isinstance(v, int) else v) for v in values)
        self.detail = (f"{name}({shown})" if values else name) or "reverted without a reason"
        super().__init__(self.detail)


@dataclass(frozen=True)
class Facts:
    """What does not change: ledger id, name, addresses of the contracts by name."""

    ledger_id: bytes
    name: str
    addresses: dict[str, str]

    def domain(self, contract: str) -> bytes:
        """Domain of messages for this contract."""
        return domain(self.ledger_id, bytes.fromhex(self.addresses[contract][2:]))


@dataclass
class Frame:
    """State as one call sees it. Changes and events are taken over only if the call ends well."""

    store: Store
    facts: Facts
    height: int
    time: int
    sender: str
    changes: dict[Key, Any] = field(default_factory=dict)
    events: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def get(self, *key: Any) -> Any:
        """A stored value, or None."""
        return self.changes[key] if key in self.changes else self.store.get(key, self.height)

    def put(self, *key: Any, value: Any) -> None:
        """Store an immutable value."""
        self.changes[key] = value

    def emit(self, contract: str, name: str, /, **args: Any) -> None:
        """Report."""
        self.events.append((contract, name, args))

    @contextmanager
    def as_sender(self, sender: str) -> Iterator[None]:
        """Let a contract be the caller for a while."""
        before, self.sender = self.sender, sender
        try:
            yield
        finally:
            self.sender = before


@dataclass(frozen=True)
class Method:
    """A contract's function: Solidity name, argument types and names, and what it runs."""

    contract: str
    name: str
    types: tuple[str, ...]
    names: tuple[str, ...]
    run: Callable[..., Any]

    @property
    def selector(self) -> bytes:
        """As in the EVM."""
        return keccak(text=f"{self.name}({','.join(self.types)})")[:4]

    def values(self, args: dict[str, Any]) -> list[Any]:
        """Arguments in order, checked. Raises LedgerError invalid_argument."""
        if set(args) != set(self.names):
            wanted, got = ", ".join(self.names), ", ".join(args)
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"{self.contract}.{self.name} takes ({wanted}), got ({got})")
        return [self._checked(kind, name, args[name]) for kind, name in zip(self.types, self.names, strict=True)]

    def _checked(self, kind: str, name: str, value: Any) -> Any:
        if not _fits(kind, value):
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"{self.contract}.{self.name}: {name} is no {kind}")
        return value.lower() if kind == "address" else value


STRUCTS: dict[str, dict[str, str]] = {
    "Query": dict.fromkeys(("consent", "requester", "requesterOrganisation", "custodian"), "bytes32"),
    "Request": {
        **dict.fromkeys(("subject", "requester", "requesterOrganisation", "custodian", "record", "schema"), "bytes32"),
        **dict.fromkeys(("role", "purpose", "category"), "uint8"),
        "fields": "uint256",
    },
    "Ask": {"request": "Request", "consent": "bytes32", "scopeWords": "bytes", "salt": "bytes32"},
}
"""Structures callers give, as in contracts/src/types/Types.sol: member types by name."""

METHODS: dict[str, dict[str, Method]] = {}


def external(contract: str, signature: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a function callers may use: ``name(type argument, …)`` as in Solidity; a ``whenThawed`` at the end as there."""

    def declare(run: Callable[..., Any]) -> Callable[..., Any]:
        head, _, tail = signature.partition("(")
        listed, _, modifier = tail.partition(")")
        pairs = [p.split() for p in listed.split(",") if p.strip()]
        guarded = _thawed(contract, run) if modifier.strip() == "whenThawed" else run
        method = Method(contract, head, tuple(p[0] for p in pairs), tuple(p[1] for p in pairs), guarded)
        METHODS.setdefault(contract, {})[head] = method
        return guarded

    return declare


def find(contract: str, method: str) -> Method:
    """A declared function. Raises LedgerError invalid_argument."""
    found = METHODS.get(contract, {}).get(method)
    if found is None:
        raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"there is no {contract}.{method}")
    return found


def _thawed(contract: str, run: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(f: Frame, *args: Any) -> Any:
        if f.get("Registry", "frozen", f.facts.addresses[contract]):
            raise Revert("ContractFrozen")
        return run(f, *args)

    return guarded


def _fits(kind: str, value: Any) -> bool:
    if kind == "bytes32":
        return isinstance(value, bytes) and len(value) == 32
    if kind.startswith("uint"):
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << int(kind[4:])
    if kind == "address":
        return isinstance(value, str) and len(value) == 42 and value.startswith("0x")
    if kind.endswith("[]"):
        return isinstance(value, list) and all(_fits(kind[:-2], v) for v in value)
    if kind in STRUCTS:
        members = STRUCTS[kind]
        return isinstance(value, dict) and value.keys() == members.keys() and all(_fits(k, value[n]) for n, k in members.items())
    return isinstance(value, {"bytes": bytes, "bool": bool}[kind])
