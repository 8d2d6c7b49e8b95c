"""What the contracts take and answer, read once from the compiled artifacts: the one source of types for every driver.

Artifacts are ``contracts/artifacts/<Name>.json`` as the build writes them (Solidity ABI specification). Argument names are those
of the interfaces, which is what callers are promised. How values travel is the driver's: words on EVM, JSON on Fabric.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from gateway.ledger.reasons import LedgerError, Reason

Param = dict[str, Any]


def artifacts_dir() -> Path:
    """Where the build put the artifacts: ``HEALTHTRUST_ARTIFACTS`` or ``contracts/artifacts`` of the source tree."""
    given = os.environ.get("HEALTHTRUST_ARTIFACTS")
    return Path(given) if given else Path(__file__).resolve().parents[2] / "contracts" / "artifacts"


def artifacts(names: Sequence[str], directory: Path | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and artifact of these contracts, functions with the interface's argument names. Raises LedgerError invalid_argument
    naming the artifact that is missing."""
    directory = directory or artifacts_dir()
    for name in names:
        path = directory / f"{name}.json"
        if not path.is_file():
            raise LedgerError(
                Reason.INVALID_ARGUMENT, detail=f"no ABI for contract {name}: {path} is missing; compile the contracts"
            )
        artifact = json.loads(path.read_text("utf-8"))
        interface = directory / f"I{name}.json"
        promised = json.loads(interface.read_text("utf-8"))["abi"] if interface.is_file() else []
        yield name, {**artifact, "abi": _renamed(artifact["abi"], promised)}


def type_of(param: Param) -> str:
    """Canonical type; a structure as the list of its members' types."""
    kind = str(param["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(type_of(c) for c in param['components'])}){kind[5:]}"


def signature(item: Mapping[str, Any]) -> str:
    """``name(type,…)`` of a function, event or error."""
    return f"{item['name']}({','.join(type_of(p) for p in item['inputs'])})"


def names_of(params: Sequence[Param]) -> tuple[str, ...]:
    """Names as callers give and get them; the position where there is none."""
    return tuple(p.get("name", "").strip("_") or str(i) for i, p in enumerate(params))


def element(param: Param) -> Param | None:
    """The parameter of an array's elements; None for what is no array."""
    kind = str(param["type"])
    return {**param, "type": kind[: kind.rindex("[")]} if kind.endswith("]") else None


def members(param: Param, value: Any) -> list[tuple[str, Param, Any]]:
    """Name, type and value of each member of a structure given as a mapping. Raises LedgerError invalid_argument."""
    components: list[Param] = param["components"]
    names = names_of(components)
    if not isinstance(value, Mapping) or set(value) != set(names):
        got = ", ".join(map(str, value)) if isinstance(value, Mapping) else type(value).__name__
        raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"{param.get('name')} takes ({', '.join(names)}), got ({got})")
    return [(n, c, value[n]) for n, c in zip(names, components, strict=True)]


@dataclass(frozen=True)
class Function:
    """A contract's function."""

    contract: str
    name: str
    inputs: tuple[Param, ...]
    outputs: tuple[Param, ...]
    writes: bool

    @classmethod
    def read(cls, contract: str, item: Mapping[str, Any]) -> Self:
        """From its ABI entry."""
        writes = item["stateMutability"] not in ("view", "pure")
        return cls(contract, item["name"], tuple(item["inputs"]), tuple(item["outputs"]), writes)

    @cached_property
    def types(self) -> tuple[str, ...]:
        """Canonical input types."""
        return tuple(type_of(p) for p in self.inputs)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Argument names as callers give them."""
        return names_of(self.inputs)

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        """Names of the answers."""
        return names_of(self.outputs)

    def arguments(self, args: Mapping[str, Any]) -> list[tuple[str, Param, Any]]:
        """Name, type and value of each argument. Raises LedgerError invalid_argument for a missing or surplus one."""
        if set(args) != set(self.names):
            wanted, got = ", ".join(self.names), ", ".join(args)
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"{self.contract}.{self.name} takes ({wanted}), got ({got})")
        return [(n, p, args[n]) for n, p in zip(self.names, self.inputs, strict=True)]


F = TypeVar("F", bound=Function)


@dataclass
class Functions(Generic[F]):
    """Functions by contract and name; overloads in the order of the artifact."""

    kind: type[F]
    table: dict[str, dict[str, list[F]]] = field(default_factory=dict)

    def add(self, contract: str, items: Sequence[Mapping[str, Any]]) -> None:
        """Take in the functions among a contract's ABI entries."""
        methods = self.table.setdefault(contract, {})
        for item in items:
            if item["type"] == "function":
                methods.setdefault(item["name"], []).append(self.kind.read(contract, item))

    def find(self, contract: str, method: str, args: Mapping[str, Any]) -> F:
        """The function meant; overloads are told apart by argument names. Raises LedgerError invalid_argument."""
        overloads = self.table.get(contract, {}).get(method)
        if not overloads:
            raise LedgerError(Reason.INVALID_ARGUMENT, detail=f"there is no {contract}.{method}")
        fitting = [f for f in overloads if set(f.names) == set(args)]
        return (fitting or overloads)[0]


def error_text(name: str, values: Sequence[Any]) -> str:
    """A contract's refusal in words: ``Name(value, …)``, the same on every ledger."""
    return f"{name}({', '.join(_show(v) for v in values)})" if values else name


def _show(value: Any) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def _renamed(items: list[dict[str, Any]], promised: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries, functions with the names the interface gives to the same signature."""
    better = {signature(i): i for i in promised if i["type"] == "function"}

    def rename(item: dict[str, Any]) -> dict[str, Any]:
        said = better.get(signature(item)) if item["type"] == "function" else None
        return item if said is None else {**item, "inputs": said["inputs"], "outputs": said["outputs"]}

    return [rename(item) for item in items]
