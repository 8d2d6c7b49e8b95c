"""Registry: which contract serves a duty, and whether it is frozen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gateway.ledger.memory.frame import Frame, Revert, external

NAME = "Registry"


@dataclass(frozen=True, slots=True)
class Entry:
    name: bytes
    target: str
    version: int
    frozen: bool
    published_at: int


@external(NAME, "publish(bytes32 name, address target, uint32 version)")
def publish(f: Frame, name: bytes, target: str, version: int) -> None:
    _only_alliance(f)
    if target not in f.facts.addresses.values():
        raise Revert("NoCode", target)
    e = _entry(f, name)
    current = e.version if e else 0
    if version <= current:
        raise Revert("VersionNotAbove", name, version, current)
    if e is None:
        f.put(NAME, "names", value=(*(f.get(NAME, "names") or ()), name))
    f.put(NAME, "entry", name, value=Entry(name, target, version, is_frozen(f, target), f.time))
    f.emit(NAME, "Published", name=name, target=target, version=version)


@external(NAME, "freeze(bytes32 name)")
def freeze(f: Frame, name: bytes) -> None:
    _only_alliance(f)
    f.emit(NAME, "Frozen", name=name, target=_set(f, name, True))


@external(NAME, "thaw(bytes32 name)")
def thaw(f: Frame, name: bytes) -> None:
    _only_alliance(f)
    f.emit(NAME, "Thawed", name=name, target=_set(f, name, False))


@external(NAME, "alliance()")
def alliance(f: Frame) -> str:
    return f.facts.addresses["Alliance"]


@external(NAME, "addressOf(bytes32 name)")
def address_of(f: Frame, name: bytes) -> str:
    return _known(f, name).target


@external(NAME, "isFrozen(address target)")
def is_frozen(f: Frame, target: str) -> bool:
    return bool(f.get(NAME, "frozen", target))


@external(NAME, "all()")
def all_(f: Frame) -> list[dict[str, Any]]:
    entries = (_known(f, name) for name in f.get(NAME, "names") or ())
    return [
        {"name": e.name, "target": e.target, "version": e.version, "frozen": e.frozen, "publishedAt": e.published_at}
        for e in entries
    ]


def _set(f: Frame, name: bytes, frozen: bool) -> str:
    e = _known(f, name)
    if e.frozen == frozen:
        raise Revert("WrongState", name, frozen)
    f.put(NAME, "entry", name, value=replace(e, frozen=frozen))
    f.put(NAME, "frozen", e.target, value=frozen)
    return e.target


def _entry(f: Frame, name: bytes) -> Entry | None:
    found: Entry | None = f.get(NAME, "entry", name)
    return found


def _known(f: Frame, name: bytes) -> Entry:
    e = _entry(f, name)
    if e is None:
        raise Revert("UnknownName", name)
    return e


def _only_alliance(f: Frame) -> None:
    if f.sender != f.facts.addresses["Alliance"]:
        raise Revert("OnlyAlliance", f.sender)
