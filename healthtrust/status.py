"""`healthtrust status`: what runs under a home, and whether each part answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core import crypto
from gateway.settings import Settings
from healthtrust import supervisor
from healthtrust.platform import Process, answers, node_answers, processes


def report(settings: Settings) -> dict[str, Any]:
    """Parts with their process and readiness, as plain data; ``ready`` says whether all of it is, ``crypto`` which engine does
    the cryptography with these settings on this machine."""
    state = supervisor.running(settings.home)
    pids: dict[str, int] = state["services"] if state else {}
    checks = {"node": node_answers(settings), **{p.name: _check(p, pids) for p in processes(settings)}}
    parts = {name: {"process": pids.get(name), "ready": bool(state) and check()} for name, check in checks.items()}
    return {
        "home": str(settings.home),
        "running": state is not None,
        "supervisor": state["supervisor"] if state else None,
        "ready": all(part["ready"] for part in parts.values()),
        "crypto": crypto.engine().name,
        "parts": parts,
    }


def _check(process: Process, pids: dict[str, int]) -> Callable[[], bool]:
    if not process.port:
        return lambda: process.name in pids
    return answers(f"http://{process.host}:{process.port}{process.ready}")


def text(found: dict[str, Any]) -> str:
    """The report for people."""
    if not found["running"]:
        return f"nothing is running under {found['home']}: start it with `healthtrust up`"
    lines = [
        f"{'✓' if part['ready'] else '✗'} {name:<24} process {part['process'] or '–'}" for name, part in found["parts"].items()
    ]
    return "\n".join([f"home {found['home']}, supervisor {found['supervisor']}, crypto engine {found['crypto']}", *lines])
