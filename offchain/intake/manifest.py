"""What a source says about its own export: ``export.json`` beside the files, ``{"full": true}`` when nothing was left out."""

from __future__ import annotations

import json
from pathlib import Path


def is_full(folder: Path) -> bool:
    """Whether the export says that it is full. Without a statement it is not, and nothing is taken for deleted.

    Raises ValueError when there is an ``export.json`` that does not say.
    """
    path = folder / "export.json"
    if not path.exists():
        return False
    document = json.loads(path.read_text("utf-8"))
    if not isinstance(document, dict) or not isinstance(document.get("full"), bool):
        raise ValueError(f'{path}: must say "full": true or false')  # noqa: TRY004 — a wrong value in a file, not a wrong call
    return bool(document["full"])


def write(folder: Path, *, full: bool) -> None:
    """Leave a statement in a folder we export to."""
    (folder / "export.json").write_text(json.dumps({"full": full}) + "\n", "utf-8")
