"""`healthtrust status`: what runs under a home, and whether each part answers."""

from __future__ import annotations

from typing import Any

from gateway.settings import Settings
from healthtrust import supervisor
from healthtrust.platform import answers, node_answers


def report(settings: Settings) -> dict[str, Any]:
    """Parts with their process and readiness, as plain data; ``ready`` says whether all of it is."""
    state = supervisor.running(settings.home)
    processes: dict[str, int] = state["services"] if state else {}
    gateway = settings.gateway
    checks = {
        "node": node_answers(settings),
        "gateway": answers(f"http://{gateway.host}:{gateway.port}/api/v1/ready"),
        "worker": lambda: "worker" in processes,
        "mirror": lambda: "mirror" in processes,
        **({"collector": lambda: "collector" in processes} if any(g.inbox for g in settings.gates) else {}),
        **{f"gate-{g.code}": answers(f"http://{g.host}:{g.port}/gate/v1/health") for g in settings.gates},
    }
    parts = {name: {"process": processes.get(name), "ready": bool(state) and check()} for name, check in checks.items()}
    return {
        "home": str(settings.home),
        "running": state is not None,
        "supervisor": state["supervisor"] if state else None,
        "ready": all(part["ready"] for part in parts.values()),
        "parts": parts,
    }


def text(found: dict[str, Any]) -> str:
    """The report for people."""
    if not found["running"]:
        return f"nothing is running under {found['home']}: start it with `healthtrust up`"
    lines = [
        f"{'✓' if part['ready'] else '✗'} {name:<24} process {part['process'] or '–'}" for name, part in found["parts"].items()
    ]
    return "\n".join([f"home {found['home']}, supervisor {found['supervisor']}", *lines])
