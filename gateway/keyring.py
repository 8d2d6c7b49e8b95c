"""Keys of one organisation or service, in one file only its owner can read.

The file store is for the embedded profile and trials; an HSM takes its place behind the same class in production.
Source: GB/T 39786 (keys are generated and kept apart from data); requirement P62.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from gateway.settings import private_folder

KIND = "healthtrust/keyring"
Handed = Literal["sm2", "evm"]
"""Keys that are handed over on the ledger: the organisation's, and a ledger account's."""
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SM2_ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123


@dataclass(frozen=True)
class Keyring:
    """Secrets of one party, hex. Never logged: ``repr`` shows the name only.

    ``evm``: secp256k1 private key of the ledger account (32 bytes). ``sm2``: SM2 private key (32 bytes). ``wrap``: SM4 key that
    wraps record keys (16 bytes). ``ids``: HMAC-SM3 key for ids of records (custodian) or people (registrar) (32 bytes).
    ``older``: wrapping keys before this one, while record keys still lie under them (a rotation is under way). ``former``: SM2
    private keys before this one: they open what was sealed for them, and sign nothing. ``next_sm2``, ``next_evm``: keys that are
    taking over (a handover is under way), empty otherwise.
    """

    name: str
    evm: str
    sm2: str
    wrap: str
    ids: str
    older: tuple[str, ...] = ()
    former: tuple[str, ...] = ()
    next_sm2: str = ""
    next_evm: str = ""

    def __repr__(self) -> str:
        return f"Keyring({self.name!r})"


def _private_key(order: int) -> str:
    """A private key, uniform in [1, order − 2] (SM2 excludes order − 1, GB/T 32918.1), hex of 32 bytes."""
    return f"{secrets.randbelow(order - 2) + 1:064x}"


def load_or_create(path: Path, name: str) -> Keyring:
    """Read the keyring, or make one with fresh random keys (file mode 0600, written whole or not at all).

    Raises PermissionError if others can read an existing file, ValueError if it is not a keyring.
    """
    if path.exists():
        if path.stat().st_mode & 0o077:
            raise PermissionError(f"{path}: others can read this key file; chmod 600 it and consider its keys lost")
        doc = json.loads(path.read_text("utf-8"))
        if doc.pop("kind", None) != KIND or doc.pop("version", None) != 1:
            raise ValueError(f"{path}: not a {KIND} version 1 file")
        return Keyring(**{**doc, **{kept: tuple(doc.get(kept, ())) for kept in ("older", "former")}})
    ring = Keyring(name, _private_key(SECP256K1_ORDER), _private_key(SM2_ORDER), secrets.token_hex(16), secrets.token_hex(32))
    private_folder(path.parent)
    return _write(path, ring)


def begin_rotation(path: Path, name: str) -> Keyring:
    """The keyring with a new wrapping key, durably so; unchanged where a rotation is under way already."""
    ring = load_or_create(path, name)
    return ring if ring.older else _write(path, replace(ring, wrap=secrets.token_hex(16), older=(ring.wrap,)))


def end_rotation(path: Path, name: str) -> Keyring:
    """The keyring without the wrapping keys before this one. Only when nothing lies under them any more."""
    return _write(path, replace(load_or_create(path, name), older=()))


def begin_handover(path: Path, name: str, key: Handed) -> Keyring:
    """The keyring with the key that will come, durably so; unchanged where a handover is under way already."""
    ring = load_or_create(path, name)
    if key == "sm2":
        return ring if ring.next_sm2 else _write(path, replace(ring, next_sm2=_private_key(SM2_ORDER)))
    return ring if ring.next_evm else _write(path, replace(ring, next_evm=_private_key(SECP256K1_ORDER)))


def end_handover(path: Path, name: str, key: Handed) -> Keyring:
    """The keyring with the key that came in force. Only when the ledger holds it. An SM2 key before it is kept to open with."""
    ring = load_or_create(path, name)
    if key == "sm2":
        return _write(path, replace(ring, sm2=ring.next_sm2, next_sm2="", former=(ring.sm2, *ring.former)))
    return _write(path, replace(ring, evm=ring.next_evm, next_evm=""))


def _write(path: Path, ring: Keyring) -> Keyring:
    """Whole or not at all, and durable: what is wrapped under a key must never outlive the key."""
    tmp = path.with_suffix(".tmp")
    fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        json.dump({"kind": KIND, "version": 1, **asdict(ring)}, f)
        f.flush()
        os.fsync(f.fileno())
    os.replace(tmp, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return ring
