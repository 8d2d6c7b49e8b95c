"""The settings reference page, generated from the settings object (``make docs``); a test keeps docs/settings.md equal to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.settings import Settings

HEAD = """# Settings

Generated from `gateway/settings.py` by `make docs`; do not edit.
Strongest first: command line, environment, `$CREDENTIALS_DIRECTORY`, `<home>/settings.toml`, default.
In `$CREDENTIALS_DIRECTORY` (systemd's LoadCredential, a container's secrets) a file named like the variable holds the value.
Nested names use two underscores in the environment: `HEALTHTRUST_LEDGER__URL=http://…`.

| setting | environment | default | what it does |
| --- | --- | --- | --- |
"""


def markdown() -> str:
    """The page as Markdown, one row a setting."""
    return HEAD + "".join(
        f"| `{name}` | `{variable}` | {default} | {text} |\n" for name, variable, default, text in _rows(Settings, "")
    )


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        inner = _model_of(field.annotation)
        if inner is not None and field.description is None:
            yield from _rows(inner, f"{path}.")
            continue
        yield path, "HEALTHTRUST_" + path.upper().replace(".", "__"), _default(field), field.description or ""
        if inner is not None:
            yield from _rows(inner, f"{path}[].")


def _model_of(annotation: Any) -> type[BaseModel] | None:
    candidates = (annotation, *get_args(annotation))
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return "see the code" if _model_of(field.annotation) else "`[]`" if field.annotation == list[str] else "`~/.healthtrust`"
    return f"`{field.default}`" if field.default != "" else "empty"
