"""The worker: sends and settles writes, anchors evidence, leaves notices of what ends, forgets what is stale.

A write wakes it with a message; a beat sweeps every second, so a lost message costs a second and nothing else. Every task may run
at any time, twice, or in two processes at once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from celery import Celery
from celery.beat import EmbeddedService
from celery.signals import setup_logging

from gateway import logs
from gateway.access.tasks import expire
from gateway.assembly import build_gateway
from gateway.broker import make_celery
from gateway.consent.tasks import tell_expiring, tell_settled
from gateway.deps import Gateway
from gateway.evidence.tasks import anchor
from gateway.identity.tasks import forget as forget_identities
from gateway.operation.tasks import advance, forget_answers
from gateway.session.tasks import forget as forget_sessions
from gateway.settings import Settings, load


def sweep(gateway: Gateway) -> None:
    """Evidence into the outbox, then one pass over the outbox."""
    anchor(gateway)
    advance(gateway)
    tell_settled(gateway)


def housekeep(gateway: Gateway) -> None:
    """What needs doing once a minute."""
    for task in (forget_sessions, forget_identities, forget_answers, expire, tell_expiring):
        task(gateway)


@lru_cache(maxsize=1)
def _own_gateway() -> Gateway:
    return build_gateway(load(), kick=lambda: None)


def build_worker(settings: Settings) -> Celery:
    """Celery with its tasks."""
    celery = make_celery(settings)

    # Celery builds a signature from a task's name in Python: it must be a named function.
    def sweep_own() -> None:
        sweep(_own_gateway())

    def housekeep_own() -> None:
        housekeep(_own_gateway())

    celery.task(name="sweep")(sweep_own)
    celery.task(name="housekeep")(housekeep_own)
    return celery


def _logging_is_set_up(**_: Any) -> None:
    """See :func:`serve`."""


def serve(celery: Celery, settings: Settings, name: str) -> None:
    """Run worker and beat in this process, which people see as ``name``."""
    logs.configure(settings.log_level)
    # Who listens to this signal has set logging up: Celery then leaves it, and standard error, alone.
    setup_logging.connect(_logging_is_set_up)
    # A thread, not Celery's process beside the worker: of a worker that was killed that would be left, sending for ever.
    beat = EmbeddedService(celery, thread=True, schedule_filename=str(settings.path("run", f"{name}-schedule")))
    beat.start()
    celery.Worker(pool="solo", hostname=f"{name}@%h", loglevel=settings.log_level, quiet=True).start()
    beat.stop()


def main() -> None:
    """The gateway's worker."""
    settings = load()
    serve(build_worker(settings), settings, "worker")


if __name__ == "__main__":
    main()
