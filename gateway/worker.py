"""The worker: sends and settles writes, anchors evidence, leaves notices of what ends, forgets what is stale.

Celery with files under the home directory (embedded) or Redis (by setting). A write wakes it with a message; a beat sweeps every
second, so a lost message costs a second and nothing else. Every task may run at any time, twice, or in two processes at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.signals import setup_logging
from kombu.exceptions import OperationalError as BrokerError

from gateway import filebroker, logs
from gateway.problem import log
from gateway.settings import Settings, load

if TYPE_CHECKING:
    from gateway.deps import Gateway

SWEEP_SECONDS = 1.0
POLL_SECONDS = 0.1
KICK_EVERY_SECONDS = 0.05


def make_celery(settings: Settings) -> Celery:
    """Celery as this project wants it; the folders of a file broker are made."""
    celery = Celery("healthtrust", broker=settings.broker or filebroker.URL)
    celery.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        broker_connection_retry_on_startup=True,
        beat_schedule={
            "sweep": {"task": "sweep", "schedule": SWEEP_SECONDS, "options": {"expires": SWEEP_SECONDS * 5}},
            "housekeep": {"task": "housekeep", "schedule": 60.0, "options": {"expires": 60}},
        },
    )
    if not settings.broker:
        celery.conf.update(broker_transport_options=_file_broker(settings))
    return celery


def _file_broker(settings: Settings) -> dict[str, Any]:
    queue, control = settings.path("broker", "queue"), settings.path("broker", "control")
    for folder in (queue, control):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "data_folder_in": str(queue),
        "data_folder_out": str(queue),
        "control_folder": str(control),
        "polling_interval": POLL_SECONDS,
    }


def sweep(gateway: Gateway) -> None:
    """Evidence into the outbox, then one pass over the outbox."""
    from gateway.consent.tasks import tell_settled
    from gateway.evidence.tasks import anchor
    from gateway.operation.tasks import advance

    anchor(gateway)
    advance(gateway)
    tell_settled(gateway)


def housekeep(gateway: Gateway) -> None:
    """What needs doing once a minute."""
    from gateway.access.tasks import expire
    from gateway.consent.tasks import tell_expiring
    from gateway.identity.tasks import forget as forget_identities
    from gateway.operation.tasks import forget_answers
    from gateway.session.tasks import forget as forget_sessions

    for task in (forget_sessions, forget_identities, forget_answers, expire, tell_expiring):
        task(gateway)


def kick_worker(settings: Settings) -> Callable[[], None]:
    """A function that wakes the worker. A broker that is away is logged: the sweep finds the write."""
    celery = make_celery(settings)
    last = 0.0

    def kick() -> None:
        nonlocal last
        if time.monotonic() - last < KICK_EVERY_SECONDS:
            return
        last = time.monotonic()
        try:
            celery.send_task("sweep", expires=SWEEP_SECONDS * 5)
        except (BrokerError, OSError) as error:
            log.warning("broker_away", error=type(error).__name__)

    return kick


@lru_cache(maxsize=1)
def _own_gateway() -> Gateway:
    from gateway.app import build_gateway

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
    """See :func:`main`."""


def main() -> None:
    """Run worker and beat in this process."""
    settings = load()
    logs.configure(settings.log_level)
    # Who listens to this signal has set logging up: Celery then leaves it, and standard error, alone.
    setup_logging.connect(_logging_is_set_up)
    schedule = str(settings.path("run", "beat-schedule"))
    build_worker(settings).Worker(
        beat=True, pool="solo", loglevel=settings.log_level, schedule_filename=schedule, quiet=True
    ).start()


if __name__ == "__main__":
    main()
