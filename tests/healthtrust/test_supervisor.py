"""The supervisor: starts, revives, gives up loudly, leaves nothing running."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from healthtrust.supervisor import Child, Service, Supervisor, SupervisorError, python, running

SLEEPER = python("-c", "import time; time.sleep(60)")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_stops_every_child_on_the_way_out(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        supervisor.start([Service("a", SLEEPER, lambda: True), Service("b", SLEEPER, lambda: True)])
        state = running(tmp_path)
        assert state is not None
        assert set(state["services"]) == {"a", "b"}
        pids = list(state["services"].values())
        assert all(_alive(p) for p in pids)
    assert not any(_alive(p) for p in pids)
    assert running(tmp_path) is None


def test_a_second_supervisor_of_the_same_home_is_refused(tmp_path: Path) -> None:
    with Supervisor(tmp_path), pytest.raises(SupervisorError, match="already running"), Supervisor(tmp_path):
        pass


def test_a_service_that_ends_at_once_is_named_with_its_last_words(tmp_path: Path) -> None:
    service = Service("broken", python("-c", "raise SystemExit('no such port')"), lambda: False)
    with Supervisor(tmp_path) as supervisor, pytest.raises(SupervisorError, match=r"broken ended with code 1[\s\S]*no such port"):
        supervisor.start([service])


def test_a_dead_child_is_started_again(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        supervisor.start([Service("a", SLEEPER, lambda: True)])
        first = supervisor.children["a"].process
        first.kill()
        first.wait()
        deadline = time.monotonic() + 5
        supervisor.watch(lambda: supervisor.children["a"].process.pid != first.pid or time.monotonic() > deadline)
        assert supervisor.children["a"].process.pid != first.pid
        assert supervisor.children["a"].process.poll() is None


def test_a_child_that_keeps_dying_stops_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("healthtrust.supervisor.DEATHS_ALLOWED", 2)
    with Supervisor(tmp_path) as supervisor:
        supervisor.start([Service("a", python("-c", "print('bad key', flush=True)"), lambda: True)])
        with pytest.raises(SupervisorError, match=r"a died 2 times[\s\S]*bad key"):
            supervisor.watch(lambda: False)


def test_children_are_kept_alive_beside_other_work(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        supervisor.start([Service("a", SLEEPER, lambda: True)])
        first = supervisor.children["a"].process
        with supervisor.kept_alive():
            first.kill()
            first.wait()
            deadline = time.monotonic() + 60
            while supervisor.children["a"].process.pid == first.pid and time.monotonic() < deadline:
                time.sleep(0.05)
        assert supervisor.children["a"].process.poll() is None
        assert supervisor.children["a"].process.pid != first.pid


def test_a_child_that_keeps_dying_is_told_after_other_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("healthtrust.supervisor.DEATHS_ALLOWED", 1)
    with Supervisor(tmp_path) as supervisor:
        supervisor.start([Service("a", SLEEPER, lambda: True)])
        with pytest.raises(SupervisorError, match="a died 1 times"):
            _die_under(supervisor, supervisor.children["a"])


def _die_under(supervisor: Supervisor, child: Child) -> None:
    with supervisor.kept_alive():
        child.process.kill()
        child.process.wait()
        deadline = time.monotonic() + 60
        while not child.deaths and time.monotonic() < deadline:
            time.sleep(0.05)
