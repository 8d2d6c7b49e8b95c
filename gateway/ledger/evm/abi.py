"""How calls, answers, events and errors travel on EVM chains: words, by the types of :mod:`gateway.ledger.abi`.

Source: Solidity ABI specification. Event data is cut into words here instead of going through web3's log decoder, which is ten
times slower.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

from gateway.ledger import abi
from gateway.ledger.abi import Param, artifacts, element, error_text, members, names_of, signature, type_of
from gateway.ledger.reasons import LedgerError, Reason

Word = Callable[[bytes], Any]
Reader = Callable[[bytes, int], Any]
"""Takes a value of fixed length out of data that has it from this byte on."""
Packer = Callable[[Any], bytes]


def load(names: Sequence[str], directory: Path | None = None) -> Abis:
    """Tables for these contracts. Raises LedgerError invalid_argument naming the artifact that is missing."""
    abis = Abis()
    for name, artifact in artifacts(names, directory):
        abis.add(name, artifact)
    return abis


@dataclass(frozen=True)
class Function(abi.Function):
    """A contract's function as call data."""

    @cached_property
    def selector(self) -> bytes:
        """First four bytes of a call."""
        return keccak(text=f"{self.name}({','.join(self.types)})")[:4]

    def encode(self, args: Mapping[str, Any]) -> bytes:
        """Call data. Raises LedgerError invalid_argument for a missing, surplus or ill-typed argument."""
        given = self.arguments(args)
        if self._row_packer is not None:
            rows = given[0][2]
            return b"".join((self.selector, _HEAD_OF_A_LIST, len(rows).to_bytes(32, "big"), *map(self._row_packer, rows)))
        values = [_to_abi(p, value) for _, p, value in given]
        try:
            return self.selector + abi_encode(self.types, values)
        except Exception as e:  # eth_abi raises a dozen unrelated classes for values that do not fit
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"{self.contract}.{self.name}: {e}") from e

    def decode(self, data: bytes) -> Any:
        """The answer: None, one value, or a dict by name."""
        if not self.outputs:
            return None
        if self._row_reader is not None:
            return _rows(data, *self._row_reader)
        values = self._words(data) or abi_decode(self._output_types, data)
        if len(self.outputs) == 1:
            return _from_abi(self.outputs[0], values[0])
        return {n: _from_abi(p, v) for n, p, v in zip(self.output_names, self.outputs, values, strict=True)}

    @cached_property
    def _row_packer(self) -> Packer | None:
        """For functions that take one list of structs of fixed length and nothing else: eth_abi takes ten times as long."""
        return _packer(_row_of(self.inputs))

    @cached_property
    def _row_reader(self) -> tuple[Reader, int] | None:
        return _reader(_row_of(self.outputs))

    @cached_property
    def _output_types(self) -> tuple[str, ...]:
        return tuple(type_of(p) for p in self.outputs)

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
            values = abi_decode([type_of(p) for p in self.plain], raw)
            args.update((n, _from_abi(p, v)) for n, p, v in zip(names_of(self.plain), self.plain, values, strict=True))
        else:
            args.update((n, cut(raw, at)) for n, cut, at in self._fast)
        return args

    @cached_property
    def _fast(self) -> tuple[tuple[str, Callable[[bytes, int], Any], int], ...] | None:
        cuts: list[tuple[str, Callable[[bytes, int], Any], int]] = []
        for i, (name, param) in enumerate(zip(names_of(self.plain), self.plain, strict=True)):
            cut = _cut(type_of(param))
            if cut is None:
                return None
            cuts.append((name, cut, 32 * i))
        return tuple(cuts)


@dataclass
class Abis:
    """Every contract's tables."""

    functions: abi.Functions[Function] = field(default_factory=lambda: abi.Functions(Function))
    events: dict[tuple[str, str], EventSpec] = field(default_factory=dict)
    errors: dict[bytes, tuple[str, tuple[Param, ...]]] = field(default_factory=dict)
    layouts: dict[str, Any] = field(default_factory=dict)

    def add(self, contract: str, artifact: Mapping[str, Any]) -> None:
        """Take in one artifact."""
        self.layouts[contract] = artifact.get("storageLayout")
        self.functions.add(contract, artifact["abi"])
        for item in artifact["abi"]:
            if item["type"] == "event" and not item.get("anonymous"):
                spec = _event(contract, item)
                self.events[contract, spec.topic] = spec
            elif item["type"] == "error":
                self.errors[keccak(text=signature(item))[:4]] = (item["name"], tuple(item["inputs"]))

    def function(self, contract: str, method: str, args: Mapping[str, Any]) -> Function:
        """The function meant; overloads are told apart by argument names. Raises LedgerError invalid_argument."""
        return self.functions.find(contract, method, args)

    def error(self, data: bytes) -> str:
        """A revert in words: ``Name(value, …)``; ``Error(text)`` and ``Panic(code)`` are Solidity's own."""
        name, inputs = self.errors.get(data[:4]) or _BUILTIN_ERRORS.get(data[:4]) or (None, ())
        if name is None:
            return f"0x{data.hex()}" if data else "reverted without a reason"
        if not inputs:
            return name
        try:
            values = abi_decode([type_of(p) for p in inputs], data[4:])
        except Exception:  # the contract's error data is the contract's: a name is better than nothing
            return name
        return error_text(name, values)


_BUILTIN_ERRORS: dict[bytes, tuple[str, tuple[Param, ...]]] = {
    bytes.fromhex("08c379a0"): ("Error", ({"type": "string", "name": ""},)),
    bytes.fromhex("4e487b71"): ("Panic", ({"type": "uint256", "name": ""},)),
}


def _event(contract: str, item: Mapping[str, Any]) -> EventSpec:
    topic = "0x" + keccak(text=signature(item)).hex()
    indexed = [p for p in item["inputs"] if p["indexed"]]
    words = tuple((n, _word(type_of(p)) or bytes) for n, p in zip(names_of(indexed), indexed, strict=True))
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


_HEAD_OF_A_LIST = (32).to_bytes(32, "big")
_NO_ROW: Param = {"type": "", "components": []}


def _row_of(params: Sequence[Param]) -> Param:
    """The struct of which these parameters are one list; ``_NO_ROW`` where they are something else."""
    only = params[0] if len(params) == 1 else _NO_ROW
    return {**only, "type": "tuple"} if only["type"] == "tuple[]" else _NO_ROW


def _rows(data: bytes, read: Reader, size: int) -> list[Any]:
    count = _unsigned(data[32:64])
    if len(data) < 64 + count * size or data[:32] != _HEAD_OF_A_LIST:
        raise LedgerError(Reason.INTERNAL, detail="the node's answer is shorter than it says")
    return [read(data, at) for at in range(64, 64 + count * size, size)]


def _reader(param: Param) -> tuple[Reader, int] | None:
    """How a value of fixed length is read and how many bytes it takes; None for other types."""
    if param["type"] != "tuple":
        word = _word(param["type"]) if param["type"] else None
        return None if word is None else (lambda data, at: word(data[at : at + 32]), 32)
    parts: list[tuple[str, Reader, int]] = []
    size = 0
    for name, component in zip(names_of(param["components"]), param["components"], strict=True):
        inner = _reader(component)
        if inner is None:
            return None
        parts.append((name, inner[0], size))
        size += inner[1]
    return lambda data, at: {name: read(data, at + offset) for name, read, offset in parts}, size


def _packer(param: Param) -> Packer | None:
    """How a struct of 32-byte ids becomes words; None for other types."""
    if param["type"] != "tuple" or any(c["type"] != "bytes32" for c in param["components"]):
        return None
    names = names_of(param["components"])

    def pack(value: Any) -> bytes:
        named = value if isinstance(value, Mapping) else dict(zip(names, value, strict=True))
        return b"".join(_to_abi(param, named))

    return pack


def _cut_bytes(raw: bytes, at: int) -> bytes:
    start = _unsigned(raw[at : at + 32])
    length = _unsigned(raw[start : start + 32])
    return raw[start + 32 : start + 32 + length]


def _cut_text(raw: bytes, at: int) -> str:
    return _cut_bytes(raw, at).decode("utf-8", "replace")


def _to_abi(param: Param, value: Any) -> Any:
    inner = element(param)
    if inner is not None:
        return [_to_abi(inner, v) for v in value]
    kind = str(param["type"])
    if kind == "bytes32" and not (isinstance(value, bytes) and len(value) == 32):
        # eth_abi would pad a shorter one: an id that lost a byte would become another id.
        raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"{param.get('name')} is no bytes32")
    if kind != "tuple":
        return value
    if not isinstance(value, Mapping):
        return tuple(value)
    return tuple(_to_abi(p, v) for _, p, v in members(param, value))


def _from_abi(param: Param, value: Any) -> Any:
    inner = element(param)
    if inner is not None:
        return [_from_abi(inner, v) for v in value]
    if param["type"] != "tuple":
        return value
    names = names_of(param["components"])
    return {n: _from_abi(c, v) for n, c, v in zip(names, param["components"], value, strict=True)}
