"""Structured logs of every process: one JSON object a line on standard error, ours and the libraries'.

Callers log codes, counts and times; never ids of people, bodies or secrets. Of an error that nobody foresaw the line says
type and place: messages, traces and local variables carry records and keys.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO, cast

import orjson
import structlog

from core.errors import place_of

SERVER = {"version": 1, "loggers": {name: {"level": "INFO", "propagate": True} for name in ("_granian", "granian.access")}}
"""Logging set-up for granian: its lines go the way of all others."""

_QUIET = ("httpx", "httpcore", "alembic", "kombu", "celery.beat", "celery.worker", "celery.app.trace")
"""Libraries that log addresses of requests, and with them ids, or that they did what they do every second."""

_STAMPS: tuple[structlog.typing.Processor, ...] = (
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def _dump(event: Any, *, default: Callable[[Any], Any], **_: Any) -> str:
    return orjson.dumps(event, default=default).decode()


_RENDER = structlog.processors.JSONRenderer(_dump)


class _Stderr:
    """Whatever standard error is at the moment of writing (supervisors and tests replace it)."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_STDERR = cast(TextIO, _Stderr())


class _Line(logging.Formatter):
    """A record of the standard library's logging in the shape of our own lines."""

    def format(self, record: logging.LogRecord) -> str:
        event: Any = {"logger": record.name, "event": record.getMessage()}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            event |= {"event": _words(record), "error": type(error).__name__, "at": place_of(error)}
        for stamp in _STAMPS:
            event = stamp(None, record.levelname.lower(), event)
        return str(_RENDER(None, "", event))


_PLACE = re.compile(r"%(?:\(\w+\))?[-#0 +]*[\d.*]*[a-zA-Z]")
"""A place for a value in the text of a log line."""


def _words(record: logging.LogRecord) -> str:
    """The text of a line about an error without its values: they may be what the error repeats. A task's name is code."""
    named = record.args if isinstance(record.args, Mapping) else {}
    if record.name == "celery.app.trace" and "name" in named:
        return f"task {named['name']} failed"
    return _PLACE.sub("…", str(record.msg).partition("\n")[0])


class _Lines(logging.StreamHandler[TextIO]):
    """The one handler of the root logger."""

    def __init__(self) -> None:
        super().__init__(_STDERR)
        self.setFormatter(_Line())


def configure(level: str) -> None:
    """Set up logging for this process; ``level`` is the least that is written. May be called again."""
    least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_STAMPS, _RENDER],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(_STDERR),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.setLevel(least)
    if not any(isinstance(handler, _Lines) for handler in root.handlers):
        root.addHandler(_Lines())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(least, logging.WARNING))
    logging.captureWarnings(capture=True)
