"""What a member's home consists of, for whoever copies it: databases by name, and the files that are not made anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gateway.settings import Settings

EMBEDDED_CHAIN = "chain"
SEGMENT = ".seg"
"""Files of the record store: encrypted already, a key a record."""
_MADE_ANEW = {"run", "logs", "broker"}
# A validator that comes back from a copy could sign a height twice, which counts as an attack: nodes are added anew instead.
_NEVER = {"network"}
_OF_DATABASES = (".db", ".db-wal", ".db-shm", ".db-journal", ".turn", ".lock", ".tmp")


def databases(settings: Settings) -> dict[str, str]:
    """Name → SQLAlchemy URL. Receipts have a file of their own on SQLite (see offchain.gate.app)."""
    found = {
        "gateway": settings.gateway_database(),
        "mirror": settings.mirror_database(),
        "registrar": settings.registrar_database(),
    }
    for gate in settings.gates:
        url = settings.custodian_database(gate.code)
        found[f"custodian-{gate.code}"] = url
        if url.startswith("sqlite"):
            found[f"receipts-{gate.code}"] = f"sqlite:///{settings.path('custodians', gate.code, 'receipts.db')}"
    return found


def files(settings: Settings) -> Iterator[Path]:
    """Files of the home to copy, relative to it, sorted."""
    skipped = _MADE_ANEW | _NEVER | (set() if settings.profile == "embedded" else {EMBEDDED_CHAIN})
    for path in sorted(settings.home.rglob("*")):
        inside = path.relative_to(settings.home)
        if inside.parts[0] not in skipped and path.is_file() and not path.name.endswith(_OF_DATABASES):
            yield inside
