"""A gate in a process of its own that kills itself at the step ``GATE_KILL_AT``; ``GATE_HOME`` holds ``settings.json``."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI

from gateway.settings import Settings
from offchain.gate.app import Options, create_app
from tests.offchain.gate_kit import CODE, Bulletin


def app() -> FastAPI:
    """What the server loads."""
    settings = Settings(**json.loads((Path(os.environ["GATE_HOME"]) / "settings.json").read_text()))
    return create_app(settings, CODE, options=Options(step=_die_at(os.environ.get("GATE_KILL_AT", "")), publisher=Bulletin()))


def _die_at(step: str) -> Callable[[str], None]:
    def reached(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return reached
