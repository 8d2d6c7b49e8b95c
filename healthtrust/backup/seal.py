"""Files encrypted under a passphrase, however large: SM4-GCM (GB/T 32907, RFC 8998) in pieces, keys by Argon2id (RFC 9106).

A sealed file is the magic line, then pieces of at most 1 MiB, each after its length (u32). Each file has its own key; a piece's
nonce is its number, and what is authenticated with it is the file's name, the number and whether it is the last: no piece can be
left out, moved, repeated or put into another file.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from argon2.low_level import Type, hash_secret_raw

from core import crypto
from core.crypto import hmac_sm3
from core.errors import DecryptionFailed, ForPeople

MAGIC = b"healthtrust/sealed-file/v1\n"
PIECE = 1 << 20
_TAG = 16
MIN_PASSPHRASE = 12
COST = {"time": 3, "memory": 65_536, "lanes": 1}
"""Argon2id: passes, KiB, lanes (RFC 9106 §4, second recommended, one lane)."""
_MOST = {"time": 16, "memory": 1 << 20, "lanes": 16}


class SealBroken(ForPeople):
    """What was sealed is not what lies here, or the passphrase is another."""


@dataclass(frozen=True)
class Keys:
    """What a passphrase opens: ``files`` for contents, ``manifest`` for the list of them. Holds secrets: not logged."""

    files: bytes
    manifest: bytes

    def __repr__(self) -> str:
        return "Keys()"

    def of(self, name: str) -> bytes:
        """SM4 key (16 bytes) of one file."""
        return hmac_sm3(self.files, b"healthtrust/backup-file/v1\0" + name.encode())[:16]


def new_kdf() -> dict[str, Any]:
    """Parameters for a new passphrase: a fresh salt, today's cost."""
    return {"name": "argon2id", **COST, "salt": secrets.token_hex(16)}


def derive(passphrase: str, kdf: dict[str, Any]) -> Keys:
    """The keys. Raises SealBroken for a short passphrase, or parameters out of bounds."""
    if len(passphrase) < MIN_PASSPHRASE:
        raise SealBroken(f"a backup's passphrase has at least {MIN_PASSPHRASE} characters")
    try:
        cost = {name: int(kdf[name]) for name in COST}
        salt = bytes.fromhex(kdf["salt"])
    except (KeyError, TypeError, ValueError) as e:
        raise SealBroken("the backup does not say how its passphrase becomes a key") from e
    if kdf.get("name") != "argon2id" or len(salt) < 16 or not all(1 <= cost[name] <= _MOST[name] for name in COST):
        raise SealBroken("the backup asks for another way from passphrase to key than this program knows")
    text = unicodedata.normalize("NFC", passphrase).encode()
    raw = hash_secret_raw(text, salt, cost["time"], cost["memory"], cost["lanes"], 64, Type.ID)
    return Keys(raw[:32], raw[32:])


def seal(source: IO[bytes], into: IO[bytes], key: bytes, name: str) -> None:
    """Encrypt everything ``source`` gives. ``name``: under which it is opened again."""
    into.write(MAGIC)
    piece, number = source.read(PIECE), 0
    while True:
        following = source.read(PIECE)
        sealed = crypto.sm4_gcm_encrypt(key, _nonce(number), piece, _about(name, number, last=not following))
        into.write(len(sealed).to_bytes(4, "big") + sealed)
        if not following:
            return
        piece, number = following, number + 1


def opened(source: IO[bytes], key: bytes, name: str) -> Iterator[bytes]:
    """What was sealed, piece by piece. Raises SealBroken at the first that is not as it was."""
    if source.read(len(MAGIC)) != MAGIC:
        raise SealBroken(f"{name} is not a sealed file")
    try:
        yield from _pieces(source, key, name)
    except (DecryptionFailed, ValueError) as e:
        raise SealBroken(f"{name} does not open: it was changed, or the passphrase is another") from e


def _pieces(source: IO[bytes], key: bytes, name: str) -> Iterator[bytes]:
    number, head = 0, source.read(4)
    while head:
        sealed = _exactly(source, _length(head))
        head = source.read(4)
        yield crypto.sm4_gcm_decrypt(key, _nonce(number), sealed, _about(name, number, last=not head))
        number += 1
    if not number:
        raise ValueError("it has no pieces")


def _exactly(source: IO[bytes], length: int) -> bytes:
    found = source.read(length)
    if len(found) != length:
        raise ValueError("its last piece was cut")
    return found


def _length(head: bytes) -> int:
    length = int.from_bytes(head, "big")
    if len(head) != 4 or not _TAG <= length <= PIECE + _TAG:
        raise ValueError("no piece has that length")
    return length


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _about(name: str, number: int, last: bool) -> bytes:
    return b"healthtrust/sealed-piece/v1\0" + name.encode() + b"\0" + number.to_bytes(8, "big") + bytes([last])


def digest(pieces: Iterable[bytes]) -> str:
    """SM3 over pieces of a file, hex."""
    running = hashlib.new("sm3")
    for piece in pieces:
        running.update(piece)
    return running.hexdigest()


def read_in_pieces(source: IO[bytes]) -> Iterator[bytes]:
    """An open file's bytes, a piece at a time."""
    while piece := source.read(PIECE):
        yield piece
