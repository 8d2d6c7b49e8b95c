"""A custodian's daily work put together: import a source, anchor what is new, hand the batches to the central index."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select

from gateway.ledger import outbox
from gateway.ledger.port import Call, Ledger
from gateway.ledger.reasons import LedgerError, Reason
from gateway.settings import Settings
from healthtrust import founding
from healthtrust.founding import Party
from offchain.anchor import ENDORSED_ENTRIES, FULL_MODE_ENTRIES, Anchorer, IndexClient
from offchain.claim import claimed
from offchain.database import Sessions, close, custodian_sessions, registrar_sessions
from offchain.empi import Empi
from offchain.intake.deliveries import source_in
from offchain.intake.pipeline import Custodian, Intake
from offchain.intake.port import Source
from offchain.intake.report import RunReport
from offchain.keys import CustodianKeys, RegistrarKeys
from offchain.rotation import open_envelope, rotate
from offchain.stores.files import FileStore

ANCHOR_SECONDS = 120.0


@dataclass(frozen=True)
class Custody:
    """One custodian's store, keys, ledger account and anchoring."""

    party: Party
    sessions: Sessions
    records: Custodian
    anchorer: Anchorer
    ledger: Ledger

    def anchor(self, tell: Callable[[int], None] = lambda _n: None) -> int:
        """Put everything that is not anchored yet under roots and wait until the ledger holds them; how many batches.

        ``tell`` hears how many batches are anchored so far. Raises LedgerError timeout; nothing is lost then: run it again.
        """
        self.anchorer.batch()
        made = left = self.anchorer.waiting()
        deadline = time.monotonic() + ANCHOR_SECONDS
        while left:
            if time.monotonic() > deadline:
                raise LedgerError(Reason.TIMEOUT, "commit", detail=f"{left} batches are not anchored yet; run it again")
            outbox.work(self.sessions, self.ledger)
            self.anchorer.settle()
            left = self.anchorer.waiting()
            tell(made - left)
            time.sleep(0.1 if left else 0)
        return made

    def write(self, key: str, kind: str, call: Call) -> None:
        """One write of this custodian through its outbox, and wait until the ledger holds it. Raises LedgerError.

        ``key``: idempotency key. Never write past the outbox with its account: the gate sends from the same one.
        """
        put(self.sessions, self.ledger, kind, (key, call))

    def publish(self, client: IndexClient) -> int:
        """Hand anchored batches to the central index; how many."""
        return self.anchorer.publish(client)


@dataclass(frozen=True)
class Holdings:
    """What a custodian has without its ledger: records, keys, and what is to be anchored."""

    party: Party
    records: Custodian
    anchorer: Anchorer


def put(sessions: outbox.Sessions, ledger: Ledger, kind: str, *writes: tuple[str, Call]) -> None:
    """Writes through an outbox, in this order, and wait until the ledger holds all. Each with its idempotency key.

    Raises LedgerError: of the first that failed, or timeout; what is stored will be sent all the same.
    """
    with sessions.begin() as session:
        waiting = [outbox.enqueue(session, key, kind, call).id for key, call in writes]
    deadline = time.monotonic() + ANCHOR_SECONDS
    while waiting:
        if time.monotonic() > deadline:
            raise LedgerError(
                Reason.TIMEOUT, "commit", detail=f"operation {waiting[0]} is stored and will be sent; look again later"
            )
        outbox.work(sessions, ledger)
        with sessions() as session:
            found = session.scalars(select(outbox.Operation).where(outbox.Operation.id.in_(waiting))).all()
        for failed in (op for op in found if op.state == outbox.FAILED):
            raise LedgerError(Reason.REJECTED, "commit", failed.transaction, failed.detail)
        waiting = [op.id for op in found if op.state != outbox.SUCCEEDED]
        time.sleep(0.1 if waiting else 0)


@contextmanager
def holdings(settings: Settings, code: str) -> Iterator[Holdings]:
    """Open a custodian's holdings. Raises KeyError for a code that is not in the settings."""
    party = founding.custodian(settings, code)
    folder = settings.path("custodians", code, "records").parent
    sessions = custodian_sessions(settings.custodian_database(code))
    store, envelope = FileStore(folder / "records"), open_envelope(keyring(settings, code), code)
    policy = settings.policy
    anchorer = Anchorer(
        party.id,
        sessions,
        folder / "trees",
        mode=policy.index_mode,
        batch_entries=policy.batch_entries,
        full_entries=ENDORSED_ENTRIES if settings.ledger.kind == "fabric" else FULL_MODE_ENTRIES,
    )
    try:
        yield Holdings(party, Custodian(sessions, store, envelope, CustodianKeys(party.ring)), anchorer)
    finally:
        close(sessions)


@contextmanager
def custody(settings: Settings, code: str) -> Iterator[Custody]:
    """Open a custodian's side. Raises KeyError for a code that is not in the settings, LedgerError."""
    with holdings(settings, code) as own, founding.ledger_of(settings, own.party) as ledger:
        yield Custody(own.party, own.records.sessions, own.records, own.anchorer, ledger)


def registry(settings: Settings, sessions: Sessions | None = None) -> Empi:
    """The registrar's index of people (EMPI); ``sessions``: on its database, if the caller has them open."""
    keys = RegistrarKeys(founding.registrar(settings).ring)
    return Empi(sessions or registrar_sessions(settings.registrar_database()), keys)


def import_folder(settings: Settings, own: Custody, folder: Path) -> RunReport:
    """Import what changed since the last run.

    Raises AlreadyClaimed while another import (or a rotation of keys) runs; FileNotFoundError, StoreFull, database errors: run
    it again after those.
    """
    with importing(settings, Holdings(own.party, own.records, own.anchorer)) as load:
        return load(source_in(folder))


@contextmanager
def importing(settings: Settings, own: Holdings) -> Iterator[Callable[[Source], RunReport]]:
    """Hold the custodian for imports while the block runs; yields what imports one source. Raises AlreadyClaimed."""
    code = own.party.code
    with claimed(keyring(settings, code).parent, "导入 import"):
        # The wrapping key of now: a rotation may have ended since these holdings were opened.
        records = replace(own.records, envelope=open_envelope(keyring(settings, code), code))
        people = registrar_sessions(settings.registrar_database())
        try:
            yield Intake(records, registry(settings, people)).run
        finally:
            close(people)


def rotate_wrapping_key(settings: Settings, code: str, tell: Callable[[int], None] = lambda _n: None) -> int:
    """A new wrapping key for a custodian, everything brought under it, the key before forgotten; how many were moved now.

    Goes on with a rotation that was interrupted. Raises AlreadyClaimed while an import runs, KeyError for an unknown code.
    """
    sessions = custodian_sessions(settings.custodian_database(code))
    with claimed(keyring(settings, code).parent, "更换密钥 rotation of keys"):
        return rotate(sessions, keyring(settings, code), code, tell)


def keyring(settings: Settings, code: str) -> Path:
    """The file of a custodian's keys."""
    return settings.path("custodians", code, "keys.json")
