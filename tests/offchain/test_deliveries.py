"""Deliveries: taken in once, in order, whole or not at all; what cannot be read in them is named with its line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from offchain.database import close
from offchain.intake.deliveries import DUPLICATE, IMPORTED, REFUSED, Inbox, source_in
from offchain.intake.pipeline import Intake
from offchain.intake.port import Source
from offchain.intake.report import RunReport
from offchain.models import Delivery, ImportRun
from tests.offchain.intake_kit import NOW, Kit, open_kit
from tests.offchain.test_intake_sources import PATIENT, condition, ndjson


class Night:
    """A custodian whose sources deliver into an inbox."""

    def __init__(self, home: Path, url: str | None = None, settle_seconds: float = 0) -> None:
        self.kit: Kit = open_kit(home, url=url)
        self.folder = home / "inbox"
        self.inbox = Inbox(self.folder, self.kit.custodian.sessions, settle_seconds=settle_seconds, clock=lambda: NOW)

    def deliver(self, name: str, *resources: object, source: str = "his") -> Path:
        """A folder of FHIR lines, not written to for a while."""
        folder = self.folder / source / name
        folder.mkdir(parents=True)
        ndjson(folder / "all.ndjson", *resources)
        return settled(folder)

    def load(self, source: Source) -> RunReport:
        """Import one source in small batches."""
        return Intake(self.kit.custodian, self.kit.empi, clock=lambda: NOW, batch_rows=3).run(source)

    def take(self) -> list[tuple[str, str, str | None]]:
        """What one look took in: names, states, reasons."""
        return [(d.name, d.status, d.reason) for d in self.inbox.take(self.load)]

    def rows(self) -> list[Delivery]:
        """Every delivery known."""
        with self.kit.custodian.sessions() as session:
            return list(session.scalars(select(Delivery).order_by(Delivery.id)))


def settled(folder: Path) -> Path:
    """The folder, as if nobody had written to it for ten minutes."""
    for path in (*folder.iterdir(), folder):
        os.utime(path, (NOW - 600, NOW - 600), follow_symlinks=False)
    return folder


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path / "home")


@pytest.fixture
def night_on_each(tmp_path: Path, database_url: str) -> Iterator[Night]:
    made = Night(tmp_path / "home", database_url)
    yield made
    close(made.kit.custodian.sessions)


def test_each_night_brings_only_what_changed(night_on_each: Night) -> None:
    night = night_on_each
    night.deliver("2026-11-22", PATIENT, condition(1, abatementDateTime="2024-02-01"), condition(2))
    night.deliver("2026-11-21", PATIENT, condition(1))
    assert night.take() == [("2026-11-21", IMPORTED, None), ("2026-11-22", IMPORTED, None)]
    assert sorted(e.version for e in night.kit.of_type("diagnosis")) == [1, 1, 2]
    assert night.take() == []
    first, second = night.rows()
    assert (first.files, first.through, second.through) == (1, 2, 4)
    assert first.ended == NOW
    assert sorted(p.name.partition("@")[0] for p in (night.folder / "his" / ".done").iterdir()) == ["2026-11-21", "2026-11-22"]


def test_the_same_bytes_are_never_imported_twice(night_on_each: Night) -> None:
    night = night_on_each
    night.deliver("2026-11-21", PATIENT, condition(1))
    night.take()
    night.deliver("2026-11-22", PATIENT, condition(1))
    night.deliver("2026-11-21", PATIENT, condition(1))  # the same delivery once more: nothing to tell
    assert night.take() == [("2026-11-22", DUPLICATE, "the same bytes came as 2026-11-21")]
    assert night.kit.count(ImportRun) == 1
    assert night.inbox.waiting("his") == []


def test_the_same_bytes_of_another_source_are_another_delivery(night: Night) -> None:
    night.deliver("2026-11-21", PATIENT, condition(1))
    night.deliver("2026-11-21", PATIENT, condition(1), source="lis")
    assert [status for _, status, _ in night.take()] == [IMPORTED, IMPORTED]
    assert {e.version for e in night.kit.entries()} == {1}


def test_what_is_older_than_what_is_in_is_refused_whole(night_on_each: Night) -> None:
    night = night_on_each
    night.deliver("2026-11-22", PATIENT, condition(1, abatementDateTime="2024-02-01"))
    night.take()
    night.deliver("2026-11-21", PATIENT, condition(1))
    ((name, status, reason),) = night.take()
    assert (name, status) == ("2026-11-21", REFUSED)
    assert reason is not None
    assert "2026-11-22 is in already" in reason
    assert {e.version for e in night.kit.entries()} == {1}
    assert len(list((night.folder / "his" / ".refused").iterdir())) == 1


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        ("export.json", b'{"full": "perhaps"}', "must say"),
        ("export.json", b"{", "Expecting"),
        ("notes.txt", b"", "neither"),
    ],
)
def test_a_bad_delivery_is_refused_whole_and_the_next_one_taken(night: Night, file: str, content: bytes, why: str) -> None:
    bad = night.deliver("2026-11-21", PATIENT)
    if file == "notes.txt":
        (bad / "all.ndjson").unlink()
    (bad / file).write_bytes(content)
    settled(bad)
    night.deliver("2026-11-22", PATIENT)
    (name, status, reason), second = night.take()
    assert (name, status, second) == ("2026-11-21", REFUSED, ("2026-11-22", IMPORTED, None))
    assert why in str(reason)
    assert str(night.folder) not in str(reason)


def test_a_delivery_may_not_point_outside(night: Night, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("{}")
    folder = night.deliver("2026-11-21", PATIENT)
    (folder / "more.ndjson").symlink_to(tmp_path / "secret")
    settled(folder)
    assert [(status, "more.ndjson" in str(reason)) for _, status, reason in night.take()] == [(REFUSED, True)]


def test_a_bad_line_is_held_back_and_the_rest_taken(night_on_each: Night) -> None:
    night = night_on_each
    night.deliver("2026-11-21", PATIENT, b"{", condition(1))
    assert night.take() == [("2026-11-21", IMPORTED, None)]
    assert [(q.file, q.line, q.rule, q.last_run) for q in night.kit.quarantined()] == [
        ("all.ndjson", 2, "Q01", night.rows()[0].run)
    ]
    assert len(night.kit.entries()) == 2


def test_what_is_still_being_written_waits_and_so_does_what_comes_after(tmp_path: Path) -> None:
    night = Night(tmp_path / "home", settle_seconds=60)
    fresh = night.deliver("2026-11-21", PATIENT)
    night.deliver("2026-11-22", PATIENT, condition(1))
    night.deliver("2026-11-20.part", PATIENT, source="lis")
    os.utime(fresh / "all.ndjson", (NOW - 59, NOW - 59))
    assert night.take() == []
    os.utime(fresh / "all.ndjson", (NOW - 60, NOW - 60))
    assert [name for name, _, _ in night.take()] == ["2026-11-21", "2026-11-22"]
    assert night.inbox.sources() == ["his", "lis"]


def test_what_is_done_with_does_not_lie_about_in_the_clear_for_ever(tmp_path: Path) -> None:
    night = Night(tmp_path / "home")
    night.deliver("2026-11-21", PATIENT)
    night.deliver("2026-11-21", b"{", source="lis")
    shutil.rmtree(night.deliver("2026-11-22", PATIENT))
    night.take()
    night.inbox._clock = lambda: NOW + 30 * 86_400
    assert night.inbox.forget(30) == 0
    night.inbox._clock = lambda: NOW + 30 * 86_400 + 1
    assert night.inbox.forget(30) == 2
    assert list((night.folder / "his" / ".done").iterdir()) == []


def test_an_import_by_hand_and_a_delivery_of_a_source_are_one(night: Night) -> None:
    folder = night.deliver("2026-11-21", PATIENT, condition(1))
    by_hand = folder.parent.parent.parent / "his"
    shutil.copytree(folder, by_hand)
    assert night.load(source_in(by_hand)).total("new") == 2
    night.take()
    assert {e.version for e in night.kit.entries()} == {1}
    assert len(night.kit.entries()) == 2
