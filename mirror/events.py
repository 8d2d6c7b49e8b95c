"""Events as the mirror keeps them: the row with its arguments as text, and the identifiers by which it is found again."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from core.crypto import sm3
from gateway.ledger.port import Block, Event
from mirror.models import NUMBER_MAX, POSITION_SHIFT, ZERO, Row

#: Longer byte strings are shown by length and SM3; what is in them is in the projections' own tables.
SHOWN_BYTES = 1024
WORD_TEXT, ACCOUNT_TEXT = 66, 42
#: Words that identify nothing: parts of keys, commitments, digests of names and messages, kinds.
NOT_IDENTIFIERS = frozenset({"x", "y", "commitment", "nameDigest", "messageHash", "kind", "packed"})


def arguments(args: dict[str, Any]) -> str:
    """RFC 8785 JSON of an event's arguments: bytes and accounts as lower-case ``0x…``, numbers above 2⁵³−1 as 32-byte ``0x…``
    words.

    orjson's sorted output is RFC 8785 as long as keys are ASCII and numbers are integers of 53 bits, which both holds here.
    """
    return orjson.dumps({name: _plain(value) for name, value in args.items()}, option=orjson.OPT_SORT_KEYS).decode()


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind is bytes:
        return "0x" + value.hex() if len(value) <= SHOWN_BYTES else {"bytes": len(value), "sm3": "0x" + sm3(value).hex()}
    if kind is int:
        return value if -NUMBER_MAX <= value <= NUMBER_MAX else f"0x{value & (2**256 - 1):064x}"
    if kind is str:
        # Lone surrogates are what a driver makes of bytes that are no UTF-8; no JSON writer takes them.
        return value.lower() if value.startswith("0x") else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if kind is dict:
        return {name: _plain(inner) for name, inner in value.items()}
    if kind in (list, tuple):
        return [_plain(inner) for inner in value]
    return value


class _Shape:
    """How one kind of event is written: most have only words and numbers, for which filling a template is four times as fast as a
    JSON writer and gives the same bytes (a test compares them)."""

    def __init__(self, args: dict[str, Any]) -> None:
        self.kinds = tuple((n, type(args[n])) for n in sorted(args))
        slots = (f'"{n}":"0x%s"' if kind is bytes else f'"{n}":%s' for n, kind in self.kinds)
        self.template = "{" + ",".join(slots) + "}"
        self.words = tuple(n for n, kind in self.kinds if kind is bytes and n not in NOT_IDENTIFIERS)
        self.accounts = tuple(n for n, kind in self.kinds if kind is str)

    def text(self, args: dict[str, Any]) -> str | None:
        """The JSON, or None where a value needs more than the template gives."""
        values: list[Any] = []
        for name, kind in self.kinds:
            value = args[name]
            if kind is bytes and len(value) <= SHOWN_BYTES:
                values.append(value.hex())
            elif kind is int and 0 <= value <= NUMBER_MAX:
                values.append(value)
            else:
                return None
        return self.template % tuple(values)

    def identifiers(self, args: dict[str, Any]) -> Iterator[bytes]:
        """Words and accounts among the arguments that name something."""
        for name in self.words:
            value = args[name]
            if len(value) == 32 and value != ZERO:
                yield value
        for name in self.accounts:
            if len(args[name]) == ACCOUNT_TEXT and args[name].startswith("0x"):
                yield bytes.fromhex(args[name][2:])


_shapes: dict[tuple[Any, ...], _Shape] = {}


def _shape(args: dict[str, Any]) -> _Shape:
    key = (*args, *map(type, args.values()))
    found = _shapes.get(key)
    if found is None:
        found = _shapes[key] = _Shape(args)
    return found


_prefix = struct.Struct(">q").unpack_from


def prefix(identifier: bytes) -> int:
    """Search key of an identifier: its first 8 bytes as a signed number."""
    first: int = _prefix(identifier)[0]
    return first


@dataclass(frozen=True, slots=True)
class BlockEvents:
    """A block with its events, and what they give whatever came before: ``rows`` and ``mentions`` as of :func:`kept`."""

    block: Block
    events: list[Event]
    rows: list[Row]
    mentions: list[Row]

    @classmethod
    def of(cls, block: Block, events: list[Event]) -> BlockEvents:
        """Work the rows out."""
        return cls(block, events, *kept(events))


def kept(events: Iterable[Event]) -> tuple[list[Row], list[Row]]:
    """Rows of :data:`mirror.models.EVENT`, and of MENTION (sorted, so that they go into the index side by side).

    An event is found by what its arguments name; the first event of a transaction also by the transaction.
    """
    rows: list[Row] = []
    mentions: set[Row] = set()
    last, transaction = "", b""
    for e in events:
        at, shape = e.height << POSITION_SHIFT | e.index, _shape(e.args)
        if e.transaction != last:
            last, transaction = e.transaction, bytes.fromhex(e.transaction[2:])
            mentions.add((prefix(transaction), at))
        text = shape.text(e.args)
        rows.append((at, e.height, transaction, e.contract, e.name, arguments(e.args) if text is None else text))
        for identifier in shape.identifiers(e.args):
            mentions.add((_prefix(identifier)[0], at))
    return rows, sorted(mentions)


def mentions_of_rows(rows: Iterable[Row]) -> list[Row]:
    """The same from stored rows alone, for taking them out again."""
    found: set[Row] = set()
    for at, _, transaction, _, _, args in rows:
        texts = ((n, v) for n, v in orjson.loads(args).items() if isinstance(v, str) and len(v) in (ACCOUNT_TEXT, WORD_TEXT))
        words = {bytes.fromhex(v[2:]) for n, v in texts if v.startswith("0x") and n not in NOT_IDENTIFIERS}
        found.update((prefix(i), at) for i in (words | {transaction}) - {ZERO})
    return sorted(found)
