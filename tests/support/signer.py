"""A validator's key in a process of its own, by CometBFT's protocol for that, whose clock can be wrong.

What a host's clock changes about a validator is the time in its votes. A program written in Go cannot be shown another clock, but
it lets whoever holds the key say when a vote was: so a signer whose clock is ahead is a validator whose clock is.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.verify.protobuf import protobuf

Fields = dict[int, list[Any]]


class SkewedSigner:
    """Signs for the validator of ``home`` at the socket ``path``, with votes so many seconds ahead of the validator's own."""

    def __init__(self, home: Path, path: Path, ahead: int) -> None:
        key = json.loads((home / "config" / "priv_validator_key.json").read_bytes())["priv_key"]["value"]
        raw = base64.b64decode(key)
        self._key, self._public = Ed25519PrivateKey.from_private_bytes(raw[:32]), raw[32:]
        self._path, self._ahead = path, ahead
        self._signed: dict[tuple[int, int, int], tuple[bytes, bytes]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join(30)

    def _serve(self) -> None:
        """The validator listens; whoever signs for it calls, again after each of its restarts."""
        while not self._over.is_set():
            with suppress(OSError, EOFError), socket.socket(socket.AF_UNIX) as line:
                line.settimeout(1.0)
                line.connect(str(self._path))
                while not self._over.is_set():
                    self._answer(line)
            time.sleep(0.05)

    def _answer(self, line: socket.socket) -> None:
        try:
            asked = protobuf(_received(line))
        except TimeoutError:
            return
        (kind, (content,)) = next(iter(asked.items()))
        request = protobuf(content)
        told = {1: self._shown, 3: self._vote, 5: self._proposal, 7: lambda _: b""}[kind](request)
        answer = _field(kind + 1, told)
        line.sendall(_varint(len(answer)) + answer)

    def _shown(self, _: Fields) -> bytes:
        return _field(1, _field(1, self._public))

    def _vote(self, request: Fields) -> bytes:
        """The vote, later by so much, signed. The same vote asked for again is the same bytes: two would be a fault."""
        (content,), (chain,) = request[1], request[2]
        vote = protobuf(content)
        key = _first(vote, 1, 0), _first(vote, 2, 0), _first(vote, 3, 0)
        if key not in self._signed:
            shown = protobuf(vote[5][0])
            then = _number(1, _first(shown, 1, 0) + self._ahead) + _number(2, _first(shown, 2, 0))
            said = (
                _number(1, key[0]) + _fixed(2, key[1]) + _fixed(3, key[2]) + _block(4, vote) + _field(5, then) + _field(6, chain)
            )
            self._signed[key] = then, self._key.sign(_varint(len(said)) + said)
        then, signature = self._signed[key]
        return _field(1, _joined(vote | {5: [then], 8: [signature]}))

    def _proposal(self, request: Fields) -> bytes:
        (content,), (chain,) = request[1], request[2]
        shown = protobuf(content)
        said = _number(1, _first(shown, 1, 0)) + _fixed(2, _first(shown, 2, 0)) + _fixed(3, _first(shown, 3, 0))
        said += _number(4, _first(shown, 4, 0)) + _block(5, shown) + _field(6, shown[6][0]) + _field(7, chain)
        return _field(1, _joined(shown | {7: [self._key.sign(_varint(len(said)) + said)]}))


def _received(line: socket.socket) -> bytes:
    """One message, after its length."""
    size = shift = 0
    while True:
        (byte,) = _exactly(line, 1)
        size, shift = size | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80:
            return _exactly(line, size)


def _exactly(line: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = line.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _first(fields: Fields, number: int, absent: Any) -> Any:
    return fields.get(number, [absent])[0]


def _block(number: int, fields: Fields) -> bytes:
    """The block voted for; nothing where the vote is for none."""
    block = protobuf(_first(fields, number, b""))
    shown, parts = _first(block, 1, b""), _first(block, 2, b"")
    return _field(number, _field(1, shown) + _field(2, parts)) if shown else b""


def _joined(fields: Fields) -> bytes:
    written = ((number, value) for number, values in sorted(fields.items()) for value in values)
    return b"".join(_number(n, v) if isinstance(v, int) else _field(n, v) for n, v in written)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return bytes([number << 3]) + _varint(value) if value else b""


def _fixed(number: int, value: int) -> bytes:
    return bytes([number << 3 | 1]) + value.to_bytes(8, "little") if value else b""


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded, value = encoded + bytes([value & 0x7F | 0x80]), value >> 7
    return encoded + bytes([value])
