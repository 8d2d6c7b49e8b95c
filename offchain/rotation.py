"""Changing a custodian's wrapping key: a new key, everything wrapped anew, the key before gone (requirement P62).

Crash order: 1. the keyring with both keys is durable; 2. record keys and quarantined rows go under the new key, a thousand a
transaction; 3. freed pages are overwritten; 4. the keyring without the key before. Started again after a crash it goes on where
it stopped. Nobody may import meanwhile (:func:`offchain.claim.claimed`); gates read on: they look into the keyring again when
they meet a key they do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from gateway.keyring import Keyring, begin_rotation, end_rotation, load_or_create
from offchain.database import Sessions, forget_freed_pages
from offchain.envelope import Envelope
from offchain.models import Quarantine, RecordKey

ROWS = 1000


def open_envelope(path: Path, name: str) -> Envelope:
    """The envelope of a keyring file, through every rotation of its wrapping key."""
    current, *older = _wrapping_keys(load_or_create(path, name))
    return Envelope(current, tuple(older), again=lambda: _wrapping_keys(load_or_create(path, name)))


def rotate(sessions: Sessions, path: Path, name: str, tell: Callable[[int], None] = lambda _n: None) -> int:
    """Make a new wrapping key (or go on with the one begun) and bring everything under it; how many keys and rows were moved now.

    ``tell`` hears how many so far. Raises EnvelopeError, and then nothing is lost: the keys before stay in the keyring.
    """
    begin_rotation(path, name)
    envelope, moved = open_envelope(path, name), 0
    for done in chain(_pages(sessions, envelope, _record_keys, (b"", 0)), _pages(sessions, envelope, _quarantined_rows, 0)):
        moved += done
        tell(moved)
    forget_freed_pages(sessions.kw["bind"])
    end_rotation(path, name)
    return moved


def _pages(
    sessions: Sessions, envelope: Envelope, page: Callable[[Session, Envelope, Any], list[Any]], after: Any
) -> Iterator[int]:
    """How many each page moved; a page says the places it moved, and the next begins behind the last of them."""
    while True:
        with sessions.begin() as session:
            places = page(session, envelope, after)
        if not places:
            return
        after = places[-1]
        yield len(places)


def _record_keys(session: Session, envelope: Envelope, after: tuple[bytes, int]) -> list[tuple[bytes, int]]:
    place = tuple_(RecordKey.record, RecordKey.version)
    stale = (place > after, RecordKey.wrapped.is_not(None), RecordKey.wrapped_by != envelope.wrapped_by)
    rows = session.scalars(select(RecordKey).where(*stale).order_by(RecordKey.record, RecordKey.version).limit(ROWS)).all()
    for row in rows:
        if row.wrapped is not None:
            row.wrapped, row.wrapped_by = envelope.rewrap(row.record, row.version, row.wrapped, row.wrapped_by)
    return [(row.record, row.version) for row in rows]


def _quarantined_rows(session: Session, envelope: Envelope, after: int) -> list[int]:
    sealed_by = func.substr(Quarantine.content, 1, len(envelope.wrapped_by))
    stale = (Quarantine.id > after, Quarantine.content.is_not(None), sealed_by != envelope.wrapped_by)
    rows = session.scalars(select(Quarantine).where(*stale).order_by(Quarantine.id).limit(ROWS)).all()
    for row in rows:
        if row.content is not None:
            row.content = envelope.reseal_row(row.digest, row.content)
    return [row.id for row in rows]


def _wrapping_keys(ring: Keyring) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(k) for k in (ring.wrap, *ring.older))
