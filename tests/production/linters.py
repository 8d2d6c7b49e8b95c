"""Production settings, and what every judged file goes through."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from gateway.settings import GateSettings, Settings

ROOT = Path(__file__).parents[2]
NODE = ROOT / "node_modules" / ".bin"
PASSWORD = "only-in-credentials"


def production(home: Path, **changes: Any) -> Settings:
    """Settings of a hospital's host."""
    given: dict[str, Any] = {
        "home": home,
        "production": True,
        "profile": "consortium",
        "database": f"postgresql+psycopg://health:{PASSWORD}@db.example:5432/health",
        "broker": f"redis://:{PASSWORD}@cache.example:6379/0",
        "ledger": {"url": "http://node.example:8545", "chain_id": 262144},
        "gateway": {"public_url": "https://health.example", "workers": 2},
        "gates": [
            GateSettings(code="H-1", name="示例医院", public_url="https://gate.example:8443", inbox="/srv/inbox", port=9001)
        ],
    }
    return Settings(**{**given, **changes})


def written(files: dict[str, str], folder: Path) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return folder


def judged(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a linter says. AssertionError with its words when it is not content."""
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
