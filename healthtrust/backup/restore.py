"""`healthtrust restore`: a home from a backup, and what is forgotten on the way.

Everything is checked before anything is written; it is put together beside the new home and becomes it in one step. What
happened between the backup and now is not in it, so: used nonces are unknown, therefore nothing signed before now is accepted
(``restored.json``, :meth:`gateway.settings.Settings.forgotten_before`); log-ins end; accounts ask the ledger for their next
nonce. Receipts and index batches that only the ledger has are named by :mod:`healthtrust.backup.behind`, and the gate serves
nothing while receipts are missing.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import delete, inspect, update

from core.errors import ForPeople
from gateway.ledger import outbox
from gateway.ledger.db import open_engine
from gateway.session.models import Challenge, LoginSession
from gateway.settings import RESTORED, Settings
from healthtrust.backup import databases, inventory, manifest
from healthtrust.backup.manifest import Item, Manifest
from healthtrust.backup.seal import Keys, opened, read_in_pieces

_DATABASE = "database:"


class RestoreRefused(ForPeople):
    """Nothing was restored; the message says why."""


def restore(home: Path, source: Path, passphrase: str, say: Callable[[str], None] = lambda _line: None) -> Manifest:
    """Make ``home`` what was backed up. Raises RestoreRefused, SealBroken, DatabaseNotCopied."""
    if home.exists() and any(home.iterdir()):
        raise RestoreRefused(f"{home} is not empty: a backup is restored into a new home, and what is there stays as it is")
    found, keys = manifest.read(source, passphrase)
    manifest.check(source, found)
    say(f"· {len(found.items)} files are what was backed up")
    partial = home.with_name(f"{home.name}.restoring")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)
    _files(source, partial, found, keys)
    _databases(source, partial, found, keys)
    # Whose clock is ahead may have signed for a moment that is still to come, as far as clocks may differ.
    signed_before = int(time.time()) + 1 + Settings(home=partial).policy.clock_skew_seconds
    (partial / RESTORED).write_text(json.dumps({"time": signed_before, "backup": found.made}), "utf-8")
    if home.exists():
        home.rmdir()
    partial.rename(home)
    return found


def _files(source: Path, home: Path, found: Manifest, keys: Keys) -> None:
    for item in found.items:
        if not item.name.startswith(_DATABASE):
            _write(home / _inside(item), _content(source, item, keys))


def _databases(source: Path, home: Path, found: Manifest, keys: Keys) -> None:
    urls = inventory.databases(Settings(home=home))
    for item in found.items:
        if item.name.startswith(_DATABASE):
            name = item.name.removeprefix(_DATABASE)
            if name not in urls:
                raise RestoreRefused(f"the settings name no database {name}, which the backup holds: set gates as they were")
            copy = home / "run" / name
            _write(copy, _content(source, item, keys))
            databases.copy_in(copy, urls[name])
            copy.unlink()
            _forget(urls[name])


def _content(source: Path, item: Item, keys: Keys) -> Iterator[bytes]:
    with (source / item.stored).open("rb") as stored:
        yield from opened(stored, keys.of(item.name), item.name) if item.sealed else read_in_pieces(stored)


def _inside(item: Item) -> Path:
    path = Path(item.name)
    if path.is_absolute() or ".." in path.parts:
        raise RestoreRefused(f"{item.name} lies outside a home")
    return path


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("xb") as file:
        path.chmod(0o600)
        for piece in pieces:
            file.write(piece)


def _forget(url: str) -> None:
    """End log-ins, and let accounts ask the ledger where they are."""
    engine = open_engine(url)
    there = set(inspect(engine).get_table_names())
    with engine.begin() as connection:
        for table in (LoginSession, Challenge):
            if table.__tablename__ in there:
                connection.execute(delete(table))
        if outbox.Lane.__tablename__ in there:
            connection.execute(update(outbox.Lane).values(next_nonce=None, holder=None, held_until=0.0))
    engine.dispose()
