"""The list of what a backup holds (``manifest.json``): each file with its size and SM3, authenticated by the passphrase."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.canonical import canonical
from core.crypto import hmac_sm3
from healthtrust.backup.seal import Keys, SealBroken, derive, digest, read_in_pieces

KIND, VERSION = "healthtrust/backup", 1
NAME = "manifest.json"


@dataclass(frozen=True)
class Item:
    """One file of the backup. ``stored``: its path in the backup; ``name``: a path of the home, or ``database:<name>``;
    ``sealed``: whether it is encrypted here (the record store's segments are by themselves); ``bytes``, ``digest``: of what is
    stored."""

    stored: str
    name: str
    sealed: bool
    bytes: int
    digest: str


@dataclass(frozen=True)
class Manifest:
    """``made``: UTC seconds; ``program``: version that made it; ``ledger``: ledger id (0x…), empty where none was founded."""

    made: int
    program: str
    ledger: str
    kdf: Mapping[str, Any]
    items: tuple[Item, ...]

    def write(self, folder: Path, keys: Keys) -> None:
        """Write it beside the files; a backup without it is none."""
        body = {**asdict(self), "kind": KIND, "version": VERSION}
        document = {**body, "seal": hmac_sm3(keys.manifest, canonical(body)).hex()}
        partial = folder / f".{NAME}"
        partial.write_text(json.dumps(document, ensure_ascii=False, indent=1), "utf-8")
        partial.replace(folder / NAME)


def read(folder: Path, passphrase: str) -> tuple[Manifest, Keys]:
    """The list and the keys. Raises SealBroken for a folder that is no whole backup, another passphrase or a changed list."""
    try:
        document = json.loads((folder / NAME).read_text("utf-8"))
        seal, found = bytes.fromhex(document.pop("seal")), _parsed(document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise SealBroken(f"{folder} holds no whole backup that this program can read: {e!r}") from e
    keys = derive(passphrase, dict(found.kdf))
    body = {**asdict(found), "kind": KIND, "version": VERSION}
    if not hmac.compare_digest(seal, hmac_sm3(keys.manifest, canonical(body))):
        raise SealBroken("the passphrase is another, or the list of files was changed: nothing was restored")
    return found, keys


def _parsed(document: dict[str, Any]) -> Manifest:
    if (document.pop("kind"), document.pop("version")) != (KIND, VERSION):
        raise ValueError("another kind or version")
    return Manifest(items=tuple(Item(**item) for item in document.pop("items")), **document)


def check(folder: Path, manifest: Manifest) -> None:
    """Compare every file with the list. Raises SealBroken naming the first that differs."""
    for item in manifest.items:
        path = folder / item.stored
        if not path.is_file() or path.stat().st_size != item.bytes:
            raise SealBroken(f"{item.stored} ({item.name}) is missing or of another size: nothing was restored")
        with path.open("rb") as source:
            if digest(read_in_pieces(source)) != item.digest:
                raise SealBroken(f"{item.stored} ({item.name}) is not what was written: nothing was restored")
