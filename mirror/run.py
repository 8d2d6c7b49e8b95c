"""The follower as a process: opened from settings, with logs, waiting for a ledger that is not there yet."""

from __future__ import annotations

import threading

from gateway import logs
from gateway.heap import collect_rarely
from gateway.ledger.factory import open_ledger
from gateway.ledger.port import Ledger
from gateway.ledger.reasons import LedgerError, Reason
from gateway.settings import Settings
from mirror.checkpoint import WrongLedger
from mirror.database import Database, DatabaseUnavailable
from mirror.loop import BACKOFF_SECONDS, HALTS, Follower, follow, log

#: The mirror decides nothing, so it also follows a chain that stands still; how old the head is, `status` says.
ANY_AGE_SECONDS = 10**9


def ledger_of(settings: Settings) -> Ledger:
    """A read-only connection for following, whatever the age of the head. Raises LedgerError."""
    patient = settings.ledger.model_copy(update={"max_head_age_seconds": ANY_AGE_SECONDS})
    return open_ledger(settings.model_copy(update={"ledger": patient}))


def run(settings: Settings, stop: threading.Event) -> int:
    """Follow until ``stop``; answers the process's exit code: 0 stopped, 1 halted."""
    logs.configure(settings.log_level)
    collect_rarely()
    database = Database(settings.mirror_database())
    ledger: Ledger | None = None
    try:
        follower = _open(settings, database, stop)
        if follower is None:
            return 0
        ledger = follower.ledger
        log.info("following", database=database.name, height=follower.cursor.height, digest="0x" + follower.cursor.digest.hex())
        follow(follower, stop, settings.mirror.poll_seconds)
        log.info("stopped", height=follower.cursor.height)
    except HALTS:
        return 1
    finally:
        if ledger is not None:
            ledger.close()
        database.close()
    return 0


def _open(settings: Settings, database: Database, stop: threading.Event) -> Follower | None:
    """The follower as soon as node, contracts and database are there; None when stopped before."""
    failures = 0
    while not stop.is_set():
        try:
            ledger = ledger_of(settings)
            try:
                return Follower(ledger, database, settings.mirror.unwind_blocks, settings.mirror.blocks_per_read)
            except BaseException:
                ledger.close()
                raise
        except (LedgerError, DatabaseUnavailable) as e:
            if isinstance(e, LedgerError) and e.reason is Reason.WRONG_CHAIN:
                log.critical("halted", error=str(e))
                raise WrongLedger(str(e)) from e
            log.error("cannot start", error=str(e), next_try_seconds=BACKOFF_SECONDS[min(failures, 6)])
            stop.wait(BACKOFF_SECONDS[min(failures, 6)])
            failures += 1
    return None
