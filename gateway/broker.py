"""How the gateway and its worker reach each other: Celery, with files under the home directory or with Redis (by setting)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError as BrokerError

from gateway import filebroker
from gateway.problem import log
from gateway.settings import Settings

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
