"""Processes of a network are found, killed and told apart by name, also from another process; ports are not taken twice."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from network import ports
from network.processes import NetworkError, Processes, Program

SLEEPER = (sys.executable, "-c", "print('here', flush=True); import time; time.sleep(600)")


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    yield made
    made.kill(made.running())


def test_a_part_is_found_and_stopped_by_another_that_has_the_home(processes: Processes) -> None:
    processes.start(Program("a", SLEEPER))
    processes.start(Program("b", SLEEPER))
    another = Processes(processes.home)
    assert another.running() == ["a", "b"]
    assert another.pid("a") == processes.pid("a")
    another.kill(["a"])
    assert processes.running() == ["b"]
    another.stop(["b"])
    assert processes.running() == []


def test_a_part_that_runs_is_not_started_again_and_one_that_another_started_is_known(processes: Processes) -> None:
    processes.start(Program("a", SLEEPER))
    first = processes.pid("a")
    processes.start(Program("a", SLEEPER))
    assert processes.pid("a") == first
    processes.kill(["a"])
    another = Processes(processes.home)
    another.start(Program("a", SLEEPER))
    assert processes.pid("a") == another.pid("a") != first
    another.kill(["a"])


def test_a_process_number_that_now_is_somebody_elses_is_not_ours(processes: Processes) -> None:
    processes.start(Program("a", SLEEPER))
    note = processes.home / "run" / "a.json"
    noted = json.loads(note.read_text())
    (processes.home / "run" / "b.json").write_text(json.dumps({**noted, "born": "1"}))
    assert processes.pid("b") is None


def test_waiting_names_the_part_that_ended_and_its_last_words(processes: Processes) -> None:
    processes.start(Program("a", (sys.executable, "-c", "print('out of disk')")))
    with pytest.raises(NetworkError, match=r"a ended before it answers(.|\n)*out of disk"):
        processes.wait_for("it answers", lambda: False, 60, ["a"])


def test_waiting_ends(processes: Processes) -> None:
    processes.start(Program("a", SLEEPER))
    with pytest.raises(NetworkError, match="it answers: not reached within 0 s"):
        processes.wait_for("it answers", lambda: False, 0.2, ["a"])


def test_a_program_that_cannot_be_run_is_named(processes: Processes) -> None:
    with pytest.raises(NetworkError, match="a cannot be run"):
        processes.start(Program("a", ("/nonexistent",)))


def test_claimed_ports_are_nobody_elses_until_released() -> None:
    first, second = ports.claim(), ports.claim()
    try:
        assert abs(first.first - second.first) >= ports.BLOCK
        assert all(ports.free(first.first + offset) for offset in range(ports.BLOCK))
        assert ports.claim_again(first.first) is None
    finally:
        first.release()
        second.release()
    again = ports.claim_again(first.first)
    assert again is not None
    again.release()
