"""Calls, answers, events and refusals as the chaincode's JSON, by the contracts' types: callers meet the same Python types on
every ledger (docs/ledger.md, Fabric).

Bytes and accounts are lower-case ``0x…`` text; numbers are JSON numbers up to 2^53 and decimal text beyond; structures are
objects, arrays are arrays. Scopes that are opened for a decision travel in the proposal's transient map, which no transaction
contains.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from core.canonical import MAX_INTEGER, canonical
from gateway.ledger.abi import Function, Functions, Param, artifacts, element, error_text, members, names_of
from gateway.ledger.port import Call
from gateway.ledger.reasons import LedgerError, Reason

OPENED = "opened"
"""Transient key of opened scopes; with ``/`` and the question's place among many."""
MANY = b"many"
"""Function of the chaincode that answers many questions over one state."""
_SECRET = ("scopeWords", "salt")
_ADDRESS = re.compile("0x[0-9a-fA-F]{40}")
_OWN_REASONS = {
    "InvalidArgument": Reason.INVALID_ARGUMENT,
    "ClockDisagrees": Reason.BEHIND,
    "NotFounded": Reason.WRONG_CHAIN,
    "ForeignCall": Reason.WRONG_CHAIN,
    "Internal": Reason.INTERNAL,
}
"""Errors that only the chaincode has; all others are the contracts'."""


@dataclass(frozen=True)
class Invocation:
    """A call as the chaincode takes it."""

    function: Function
    args: list[bytes]
    transient: dict[str, bytes]


@dataclass
class Codec:
    """The contracts' types: functions, inputs of events by contract and name, of errors by name and the names of their values
    (contracts share names)."""

    functions: Functions[Function] = field(default_factory=lambda: Functions(Function))
    events: dict[tuple[str, str], tuple[Param, ...]] = field(default_factory=dict)
    errors: dict[tuple[str, frozenset[str]], tuple[Param, ...]] = field(default_factory=dict)

    @classmethod
    def load(cls, contracts: list[str], directory: Path | None = None) -> Codec:
        """From the artifacts. Raises LedgerError invalid_argument naming the one that is missing."""
        codec = cls()
        for name, artifact in artifacts(contracts, directory):
            codec.functions.add(name, artifact["abi"])
            for item in artifact["abi"]:
                if item["type"] == "event":
                    codec.events[name, item["name"]] = tuple(item["inputs"])
                elif item["type"] == "error":
                    inputs = tuple(item["inputs"])
                    codec.errors[item["name"], frozenset(names_of(inputs))] = inputs
        return codec

    def encode(self, call: Call) -> Invocation:
        """Raises LedgerError invalid_argument for what does not fit the contract."""
        function = self.functions.find(call.contract, call.method, call.args)
        plain = {name: to_json(param, value) for name, param, value in function.arguments(call.args)}
        transient = _take_opened(plain)
        return Invocation(function, [f"{call.contract}.{call.method}".encode(), canonical(plain)], transient)

    def decode(self, function: Function, answer: bytes) -> Any:
        """None, one value, or a dict by name."""
        return _decoded(function, orjson.loads(answer) if function.outputs else None)

    def decode_many(self, functions: Iterable[Function], answer: bytes) -> list[Any]:
        """Answers to questions of :func:`together`, each as :meth:`decode` gives it."""
        return [_decoded(function, value) for function, value in zip(functions, orjson.loads(answer), strict=True)]

    def reported(self, payload: bytes) -> list[tuple[str, str, dict[str, Any]]]:
        """Contract, name and arguments of each event in a transaction's one chaincode event; unknown ones are left out."""
        return [
            (e["contract"], e["name"], by_name(inputs, e["args"]))
            for e in orjson.loads(payload)
            if (inputs := self.events.get((e["contract"], e["name"]))) is not None
        ]

    def refusal(self, name: str, args: Mapping[str, Any]) -> LedgerError:
        """The port's error for the chaincode's."""
        reason = _OWN_REASONS.get(name, Reason.REJECTED)
        if reason is not Reason.REJECTED:
            return LedgerError(reason, detail=f"{name}: {', '.join(f'{k} {v}' for k, v in args.items())}")
        inputs = self.errors.get((name, frozenset(args)))
        values = by_name(inputs, args).values() if inputs else args.values()
        return LedgerError(reason, detail=error_text(name, list(values)) if name else "reverted without a reason")


def together(asked: Sequence[Invocation]) -> tuple[list[bytes], dict[str, bytes]]:
    """Arguments and transient map of one proposal that asks them all."""
    args = [MANY, *(part for i in asked for part in i.args)]
    return args, {f"{name}/{n}": value for n, i in enumerate(asked) for name, value in i.transient.items()}


def _decoded(function: Function, value: Any) -> Any:
    if not function.outputs:
        return None
    if len(function.outputs) == 1:
        return from_json(function.outputs[0], value)
    return {n: from_json(p, value[n]) for n, p in zip(function.output_names, function.outputs, strict=True)}


def by_name(params: tuple[Param, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of an object by their types, in the order of the types."""
    return {n: from_json(p, values[n]) for n, p in zip(names_of(params), params, strict=True)}


def to_json(param: Param, value: Any) -> Any:
    """A value as JSON. Raises LedgerError invalid_argument when it is none of the type's."""
    inner = element(param)
    if inner is not None:
        _require(isinstance(value, list | tuple), param, value)
        return [to_json(inner, v) for v in value]
    kind = str(param["type"])
    if kind == "tuple":
        return {name: to_json(p, v) for name, p, v in members(param, value)}
    if kind.startswith("bytes"):
        _require(isinstance(value, bytes) and (kind == "bytes" or len(value) == int(kind[5:])), param, value)
        return "0x" + value.hex()
    if kind.startswith("uint"):
        _require(type(value) is int or (isinstance(value, int) and not isinstance(value, bool)), param, value)
        _require(0 <= value < 1 << int(kind[4:]), param, value)
        return int(value) if value < MAX_INTEGER else str(int(value))
    if kind == "address":
        _require(isinstance(value, str) and _ADDRESS.fullmatch(value) is not None, param, value)
        return value.lower()
    _require(isinstance(value, {"bool": bool, "string": str}[kind]), param, value)
    return value


def from_json(param: Param, value: Any) -> Any:
    """Inverse of :func:`to_json`."""
    inner = element(param)
    if inner is not None:
        return [from_json(inner, v) for v in value]
    kind = str(param["type"])
    if kind == "tuple":
        return by_name(tuple(param["components"]), value)
    if kind.startswith("bytes"):
        return bytes.fromhex(value[2:])
    if kind.startswith("uint"):
        return int(value)
    return value


def _take_opened(plain: dict[str, Any]) -> dict[str, bytes]:
    """Move opened scopes out of what would be public."""
    if "asks" in plain:
        opened: Any = [{name: ask.pop(name) for name in _SECRET} for ask in plain["asks"]]
    elif set(_SECRET) <= plain.keys():
        opened = {name: plain.pop(name) for name in _SECRET}
    else:
        return {}
    return {OPENED: canonical(opened)}


def _require(fits: bool, param: Param, value: Any) -> None:
    if not fits:
        shown = f"{len(value)} bytes" if isinstance(value, bytes) else repr(value)[:60]
        raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"{param.get('name')} is no {param['type']}: {shown}")
