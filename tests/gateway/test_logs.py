"""Lines of libraries look like ours, and say of an error neither its words nor its values."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from gateway import logs

SECRET = "精神分裂症 F20.0"


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    logs.configure("info")
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    logging.captureWarnings(capture=False)


def test_ours_and_theirs_have_one_shape(lines: Any) -> None:
    structlog.get_logger("gate").info("served", height=7)
    logging.getLogger("kombu").warning("no answer from %s", "broker")
    ours, theirs = lines()
    assert (ours["event"], ours["height"], theirs["event"], theirs["logger"]) == ("served", 7, "no answer from broker", "kombu")
    assert {d["level"] for d in (ours, theirs)} == {"info", "warning"}
    assert all(d["timestamp"].endswith("Z") for d in (ours, theirs))


def test_an_error_is_logged_by_type_and_place(lines: Any) -> None:
    try:
        raise ValueError(SECRET)  # noqa: TRY301
    except ValueError as error:
        logging.getLogger("celery").exception("task %s failed\nbecause of it", error)  # noqa: TRY401
    (line,) = lines()
    assert (line["error"], line["at"].partition(":")[0]) == ("ValueError", "gateway/test_logs.py")
    assert "F20.0" not in str(line)


def test_addresses_of_requests_are_not_logged(lines: Any) -> None:
    logging.getLogger("httpx").info("HTTP Request: GET http://gate/receipts?subject=0x11")
    assert lines() == []


def test_configured_twice_a_line_is_written_once(lines: Any) -> None:
    logs.configure("warning")
    logging.getLogger("any").info("too quiet")
    logging.getLogger("any").warning("loud")
    assert [line["event"] for line in lines()] == ["loud"]


def test_warnings_are_lines_too(lines: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old habit", stacklevel=1)
        logging.captureWarnings(capture=False)
    assert "old habit" in lines()[0]["event"]


def test_a_failed_task_is_named_and_nothing_else_of_it(lines: Any) -> None:
    template = "Task %(name)s[%(id)s] %(description)s: %(exc)s"
    named = {"name": "sweep", "id": "7", "description": "raised unexpected", "exc": SECRET}
    try:
        raise ValueError(SECRET)  # noqa: TRY301
    except ValueError:
        logging.getLogger("celery.app.trace").error(template, named, exc_info=True)
        logging.getLogger("celery").error("connection %r lost after %.2f s: %s", 1, 2.0, SECRET, exc_info=True)
    task, other = lines()
    assert task["event"] == "task sweep failed"
    assert other["event"] == "connection … lost after … s: …"
    assert "F20.0" not in str((task, other))
