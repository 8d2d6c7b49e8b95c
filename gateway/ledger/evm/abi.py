"""ABIs read once into tables: how to encode a call, decode an answer, an event and a custom error.

Source: Solidity ABI specification; artifacts are ``contracts/artifacts/<Name>.json`` as the build writes them. Event data is
cut into words here instead of going through web3's log decoder, which is ten times slower.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

from gateway.ledger.reasons import LedgerError, Reason

Param = dict[str, Any]
Word = Callable[[bytes], Any]


def artifacts_dir() -> Path:
    """Where the build put the artifacts: ``HEALTHTRUST_ARTIFACTS`` or ``contracts/artifacts`` of the source tree."""
    given = os.environ.get("HEALTHTRUST_ARTIFACTS")
    return Path(given) if given else Path(__file__).resolve().parents[3] / "contracts" / "artifacts"


def load(names: Sequence[str], directory: Path | None = None) -> Abis:
    """Tables for these contracts. Raises LedgerError invalid_argument naming the artifact that is missing."""
    directory = directory or artifacts_dir()
    abis = Abis()
    for name in names:
        path = directory / f"{name}.json"
        if not path.is_file():
            raise LedgerError(
                Reason.INVALID_ARGUMENT, detail=f"no ABI for contract {name}: {path} is missing; compile the contracts"
            )
        abis.add(name, json.loads(path.read_text("utf-8")))
        interface = directory / f"I{name}.json"
        if interface.is_file():
            abis.rename(name, json.loads(interface.read_text("utf-8")))
    return abis


@dataclass(frozen=True)
class Function:
    """A contract's function."""

    contract: str
    name: str
    inputs: tuple[Param, ...]
    outputs: tuple[Param, ...]
    writes: bool

    @cached_property
    def selector(self) -> bytes:
        """First four bytes of a call."""
        return keccak(text=f"{self.name}({','.join(self.types)})")[:4]

    @cached_property
    def types(self) -> tuple[str, ...]:
        """Canonical input types."""
        return tuple(_type(p) for p in self.inputs)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Argument names as callers give them."""
        return _names(self.inputs)

    def encode(self, args: Mapping[str, Any]) -> bytes:
        """Call data. Raises LedgerError invalid_argument for a missing, surplus or ill-typed argument."""
        if set(args) != set(self.names):
            wanted, got = ", ".join(self.names), ", ".join(args)
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"{self.contract}.{self.name} takes ({wanted}), got ({got})")
        values = [_to_abi(p, args[n]) for p, n in zip(self.inputs, self.names, strict=True)]
        try:
            return self.selector + abi_encode(self.types, values)
        except Exception as e:  # eth_abi raises a dozen unrelated classes for values that do not fit
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"{self.contract}.{self.name}: {e}") from e

    def decode(self, data: bytes) -> Any:
        """The answer: None, one value, or a dict by name."""
        if not self.outputs:
            return None
        values = self._words(data) or abi_decode(self._output_types, data)
        if len(self.outputs) == 1:
            return _from_abi(self.outputs[0], values[0])
        return {n: _from_abi(p, v) for n, p, v in zip(self._output_names, self.outputs, values, strict=True)}

    @cached_property
    def _output_types(self) -> tuple[str, ...]:
        return tuple(_type(p) for p in self.outputs)

    @cached_property
    def _output_names(self) -> tuple[str, ...]:
        return _names(self.outputs)

    @cached_property
    def _static(self) -> tuple[Word, ...] | None:
        words = [_word(t) for t in self._output_types]
        return None if any(w is None for w in words) else tuple(w for w in words if w is not None)

    def _words(self, data: bytes) -> list[Any] | None:
        if self._static is None or len(data) < 32 * len(self._static):
            return None
        return [w(data[32 * i : 32 * i + 32]) for i, w in enumerate(self._static)]


@dataclass(frozen=True)
class EventSpec:
    """A contract's event and how its log is cut up."""

    contract: str
    name: str
    topic: str
    indexed: tuple[tuple[str, Word], ...]
    plain: tuple[Param, ...]

    def decode(self, topics: Sequence[str], data: str) -> dict[str, Any]:
        """Arguments by name."""
        args = {n: w(bytes.fromhex(t[2:])) for (n, w), t in zip(self.indexed, topics[1:], strict=True)}
        raw = bytes.fromhex(data[2:])
        if self._fast is None:
            values = abi_decode([_type(p) for p in self.plain], raw)
            args.update((n, _from_abi(p, v)) for n, p, v in zip(_names(self.plain), self.plain, values, strict=True))
        else:
            args.update((n, cut(raw, at)) for n, cut, at in self._fast)
        return args

    @cached_property
    def _fast(self) -> tuple[tuple[str, Callable[[bytes, int], Any], int], ...] | None:
        cuts: list[tuple[str, Callable[[bytes, int], Any], int]] = []
        for i, (name, param) in enumerate(zip(_names(self.plain), self.plain, strict=True)):
            cut = _cut(_type(param))
            if cut is None:
                return None
            cuts.append((name, cut, 32 * i))
        return tuple(cuts)


@dataclass
class Abis:
    """Every contract's tables."""

    functions: dict[str, dict[str, list[Function]]] = field(default_factory=dict)
    events: dict[tuple[str, str], EventSpec] = field(default_factory=dict)
    errors: dict[bytes, tuple[str, tuple[Param, ...]]] = field(default_factory=dict)
    layouts: dict[str, Any] = field(default_factory=dict)

    def add(self, contract: str, artifact: Mapping[str, Any]) -> None:
        """Take in one artifact."""
        self.functions[contract] = {}
        self.layouts[contract] = artifact.get("storageLayout")
        for item in artifact["abi"]:
            kind = item["type"]
            if kind == "function":
                self._function(contract, item)
            elif kind == "event" and not item.get("anonymous"):
                spec = _event(contract, item)
                self.events[contract, spec.topic] = spec
            elif kind == "error":
                self.errors[keccak(text=_signature(item))[:4]] = (item["name"], tuple(item["inputs"]))

    def rename(self, contract: str, interface: Mapping[str, Any]) -> None:
        """Take argument names from the contract's interface, which is what callers are promised."""
        for item in (i for i in interface["abi"] if i["type"] == "function"):
            mine = self.functions[contract].get(item["name"], [])
            for at, f in enumerate(mine):
                if f.types == tuple(_type(p) for p in item["inputs"]):
                    mine[at] = replace(f, inputs=tuple(item["inputs"]), outputs=tuple(item["outputs"]))

    def function(self, contract: str, method: str, args: Mapping[str, Any]) -> Function:
        """The function meant; overloads are told apart by argument names. Raises LedgerError invalid_argument."""
        overloads = self.functions.get(contract, {}).get(method)
        if not overloads:
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"there is no {contract}.{method}")
        fitting = [f for f in overloads if set(f.names) == set(args)]
        return (fitting or overloads)[0]

    def error(self, data: bytes) -> str:
        """A revert in words: ``Name(value, …)``; ``Error(text)`` and ``Panic(code)`` are Solidity's own."""
        name, inputs = self.errors.get(data[:4]) or _BUILTIN_ERRORS.get(data[:4]) or (None, ())
        if name is None:
            return f"0x{data.hex()}" if data else "reverted without a reason"
        if not inputs:
            return name
        try:
            values = abi_decode([_type(p) for p in inputs], data[4:])
        except Exception:  # the contract's error data is the contract's: a name is better than nothing
            return name
        return f"{name}({', '.join(_show(v) for v in values)})"

    def _function(self, contract: str, item: Mapping[str, Any]) -> None:
        writes = item["stateMutability"] not in ("view", "pure")
        f = Function(contract, item["name"], tuple(item["inputs"]), tuple(item["outputs"]), writes)
        self.functions[contract].setdefault(f.name, []).append(f)


_BUILTIN_ERRORS: dict[bytes, tuple[str, tuple[Param, ...]]] = {
    bytes.fromhex("08c379a0"): ("Error", ({"type": "string", "name": ""},)),
    bytes.fromhex("4e487b71"): ("Panic", ({"type": "uint256", "name": ""},)),
}


def _show(value: Any) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def _type(param: Param) -> str:
    kind = str(param["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(c) for c in param['components'])}){kind[5:]}"


def _signature(item: Mapping[str, Any]) -> str:
    return f"{item['name']}({','.join(_type(p) for p in item['inputs'])})"


def _names(params: Sequence[Param]) -> tuple[str, ...]:
    return tuple(p.get("name", "").strip("_") or str(i) for i, p in enumerate(params))


def _event(contract: str, item: Mapping[str, Any]) -> EventSpec:
    topic = "0x" + keccak(text=_signature(item)).hex()
    indexed = [p for p in item["inputs"] if p["indexed"]]
    words = tuple((n, _word(_type(p)) or bytes) for n, p in zip(_names(indexed), indexed, strict=True))
    return EventSpec(contract, item["name"], topic, words, tuple(p for p in item["inputs"] if not p["indexed"]))


def _unsigned(word: bytes) -> int:
    return int.from_bytes(word, "big")


def _signed(word: bytes) -> int:
    return int.from_bytes(word, "big", signed=True)


def _address(word: bytes) -> str:
    return "0x" + word[12:].hex()


def _boolean(word: bytes) -> bool:
    return word[31] == 1


def _word(kind: str) -> Word | None:
    """How one word becomes a value; None for types that are not one word."""
    if kind.endswith("]") or kind.startswith("(") or kind in ("bytes", "string"):
        return None
    if kind == "bytes32":
        return bytes
    if kind.startswith("bytes"):
        length = int(kind[5:])
        return lambda word: word[:length]
    if kind.startswith("uint"):
        return _unsigned
    if kind.startswith("int"):
        return _signed
    return {"address": _address, "bool": _boolean}.get(kind)


def _cut(kind: str) -> Callable[[bytes, int], Any] | None:
    """How a top-level event value is cut out of the data; None where eth_abi has to."""
    word = _word(kind)
    if word is not None:
        return lambda raw, at: word(raw[at : at + 32])
    if kind in ("bytes", "string"):
        return _cut_text if kind == "string" else _cut_bytes
    return None


def _cut_bytes(raw: bytes, at: int) -> bytes:
    start = _unsigned(raw[at : at + 32])
    length = _unsigned(raw[start : start + 32])
    return raw[start + 32 : start + 32 + length]


def _cut_text(raw: bytes, at: int) -> str:
    return _cut_bytes(raw, at).decode("utf-8", "replace")


def _to_abi(param: Param, value: Any) -> Any:
    kind = str(param["type"])
    if kind.endswith("]"):
        inner = {**param, "type": kind[: kind.rindex("[")]}
        return [_to_abi(inner, v) for v in value]
    if kind == "bytes32" and not (isinstance(value, bytes) and len(value) == 32):
        # eth_abi would pad a shorter one: an id that lost a byte would become another id.
        raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"{param.get('name')} is no bytes32")
    if kind != "tuple":
        return value
    names = _names(param["components"])
    if not isinstance(value, Mapping):
        return tuple(value)
    if set(value) != set(names):
        raise LedgerError(
            Reason.INVALID_ARGUMENT, detail=f"{param.get('name')} takes ({', '.join(names)}), got ({', '.join(value)})"
        )
    return tuple(_to_abi(c, value[n]) for c, n in zip(param["components"], names, strict=True))


def _from_abi(param: Param, value: Any) -> Any:
    kind = str(param["type"])
    if kind.endswith("]"):
        inner = {**param, "type": kind[: kind.rindex("[")]}
        return [_from_abi(inner, v) for v in value]
    if kind != "tuple":
        return value
    names = _names(param["components"])
    return {n: _from_abi(c, v) for n, c, v in zip(names, param["components"], value, strict=True)}
