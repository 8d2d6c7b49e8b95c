"""``python -m healthtrust.collector``: Celery looks at the custodians' inboxes by schedule (docs/services.md).

A process of its own beside the gateway's worker, with a queue of its own: an import of minutes must not hold up the outbox.
"""

from __future__ import annotations

import os

from celery import Celery
from celery.schedules import crontab

from gateway.broker import make_celery
from gateway.settings import Settings, load
from gateway.worker import serve

QUEUE = "import"
EXPIRES_SECONDS = 60


def build_collector(settings: Settings) -> Celery:
    """Celery with the one task, ``collect``, and its schedule in the machine's local time."""
    celery = make_celery(settings)
    every = {
        "task": "collect",
        "schedule": crontab.from_string(settings.collection.schedule),
        "options": {"queue": QUEUE, "expires": EXPIRES_SECONDS},
    }
    celery.conf.update(task_default_queue=QUEUE, enable_utc=False, beat_schedule={"collect": every})
    told: set[tuple[str, str, str]] = set()

    def collect() -> None:
        from healthtrust.collection import look

        look(settings, told)

    celery.task(name="collect")(collect)
    return celery


def main() -> None:
    """Run worker and beat in this process; look once at the start, which finishes what a kill interrupted."""
    os.umask(0o077)
    settings = load()
    celery = build_collector(settings)
    celery.send_task("collect", queue=QUEUE)
    serve(celery, settings, QUEUE)


if __name__ == "__main__":
    main()
