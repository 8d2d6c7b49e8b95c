"""`healthtrust backup`: a home copied while its processes run.

Order: imports and rotations of keys are held off; databases first, each at one moment; then files. What a database row points to
was durable before the row, so files copied later hold all of it. The embedded node writes its whole state each second: with it
a backup is made while nothing runs. The list of files is written last: a backup that was cut off is none.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

from core.errors import ForPeople
from gateway.settings import Settings
from healthtrust import supervisor
from healthtrust.backup import databases, inventory
from healthtrust.backup.manifest import Item, Manifest
from healthtrust.backup.seal import Keys, derive, digest, new_kdf, read_in_pieces, seal
from offchain.claim import claimed

Say = Callable[[str], None]


class BackupRefused(ForPeople):
    """No backup was made; the message says why and what to do."""


def backup(settings: Settings, to: Path, passphrase: str, say: Say = lambda _line: None) -> Manifest:
    """Copy the home into a new folder. Raises BackupRefused, SealBroken (short passphrase), AlreadyClaimed, DatabaseNotCopied."""
    kdf = new_kdf()
    keys = derive(passphrase, kdf)
    _refuse(settings, to)
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    writer = _Writer(to, keys)
    with _held(settings), _scratch(settings) as scratch:
        for name, url in inventory.databases(settings).items():
            if databases.is_there(url):
                databases.copy_out(url, scratch / name)
                writer.add(scratch / name, f"database:{name}")
                (scratch / name).unlink()
                say(f"· database {name}")
        for inside in inventory.files(settings):
            writer.add(settings.home / inside, inside.as_posix())
    made = Manifest(int(time.time()), version("healthtrust"), _ledger(settings), kdf, tuple(writer.items))
    made.write(to, keys)
    return made


class _Writer:
    """Writes numbered files and remembers what they are."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self.items: list[Item] = []
        self._folder = folder
        self._keys = keys

    def add(self, path: Path, name: str) -> None:
        """Copy one file; the record store's segments as they are, everything else sealed."""
        stored, sealed = f"{len(self.items):06d}", not name.endswith(inventory.SEGMENT)
        with path.open("rb") as source, (self._folder / stored).open("xb") as into:
            if sealed:
                seal(source, into, self._keys.of(name), name)
            else:
                shutil.copyfileobj(source, into, 1 << 20)
        with (self._folder / stored).open("rb") as written:
            found = digest(read_in_pieces(written))
        self.items.append(Item(stored, name, sealed, (self._folder / stored).stat().st_size, found))


def _refuse(settings: Settings, to: Path) -> None:
    if to.exists() and any(to.iterdir()):
        raise BackupRefused(f"{to} is not empty: every backup gets a folder of its own")
    if to.resolve().is_relative_to(settings.home.resolve()):
        raise BackupRefused(f"{to} lies in the home it would copy: choose a place outside, on another disk")
    if settings.profile == "embedded" and supervisor.running(settings.home):
        raise BackupRefused(
            "the embedded node has to stand still for a backup: `healthtrust down` first, `healthtrust up` afterwards"
        )


@contextmanager
def _held(settings: Settings) -> Iterator[None]:
    """No import and no rotation of keys begins while the block runs. Raises AlreadyClaimed."""
    with ExitStack() as held:
        for gate in settings.gates:
            folder = settings.path("custodians", gate.code)
            if folder.is_dir():
                held.enter_context(claimed(folder, "备份 a backup"))
        yield


@contextmanager
def _scratch(settings: Settings) -> Iterator[Path]:
    """A folder for copies in the clear, on the disk where the databases lie in the clear anyway."""
    run = settings.path("run", "x").parent
    with tempfile.TemporaryDirectory(dir=run, prefix="backup-") as folder:
        yield Path(folder)


def _ledger(settings: Settings) -> str:
    path = settings.home / "contracts.json"
    return str(json.loads(path.read_text("utf-8"))["ledgerId"]) if path.exists() else ""
