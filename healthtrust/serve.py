"""``python -m healthtrust.serve gateway | gate CODE``: a server process; its workers import the application, it does not."""

from __future__ import annotations

import os
import sys

from granian import Granian
from granian.constants import Interfaces

from gateway import logs
from gateway.settings import load

BACKLOG = 2048


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM. What the server writes is its owner's alone."""
    os.umask(0o077)
    settings = load()
    logs.configure(settings.log_level)
    if arguments[:1] == ["gate"]:
        os.environ["HEALTHTRUST_GATE"] = arguments[1]
        own = settings.gate(arguments[1])
        target, host, port, workers = "healthtrust.applications:gate", own.host, own.port, own.workers
    else:
        target, host, port, workers = (
            "healthtrust.applications:gateway",
            settings.gateway.host,
            settings.gateway.port,
            settings.gateway.workers,
        )
    Granian(
        target,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=workers,
        backlog=BACKLOG,
        log_access=False,
        log_dictconfig=logs.SERVER,
        websockets=False,
    ).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
