"""A mirror in a file: it comes back the same, and nothing that was changed on the way gets in."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from core.errors import Malformed
from mirror import condition, snapshot
from mirror.compare import verify
from mirror.condition import Reporter
from mirror.database import Database
from mirror.models import BLOCK, CURSOR
from mirror.rebuild import NotEmpty
from mirror.reset import FollowerRuns, reset
from mirror.snapshot import SnapshotRefused
from tests.mirror.scripted import Story
from tests.mirror.support import OPEN, dump, follower, fresh, mine, told

Lines = list[Any]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = fresh(told(11, 60), tmp_path, "source.db")
    snapshot.export(made.database, tmp_path / "mirror.snapshot")
    return tmp_path / "mirror.snapshot"


def opened(url: str) -> Database:
    OPEN.append(Database(url))
    return OPEN[-1]


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "ROWS_AT_ONCE", 7)


def test_it_comes_back_the_same_and_is_followed_on(database_url: str, tmp_path: Path) -> None:
    ledger = told(11, 60)
    source = fresh(ledger, tmp_path, "source.db")
    file = tmp_path / "mirror.snapshot"
    said = snapshot.export(source.database, file)
    target = opened(database_url)
    assert snapshot.restore(target, file, source.cursor.digest) == said
    same(target, source.database)
    assert verify(target) is None
    ledger.cut(55)
    mine(ledger, Story(ledger, random.Random(2)), 20)
    source.catch_up()
    went_on = follower(ledger, database_url)
    went_on.catch_up()
    assert went_on.cursor == source.cursor
    same(went_on.database, source.database)


def same(copy: Database, original: Database) -> None:
    ours, theirs = dump(copy), dump(original)
    assert set(ours.pop("mention")) >= set(theirs.pop("mention"))
    assert ours == theirs


def test_the_same_mirror_gives_the_same_file(tmp_path: Path) -> None:
    made = fresh(told(11, 20), tmp_path)
    for name in "ab":
        snapshot.export(made.database, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def row(lines: Lines, table: str, n: int = 0) -> int:
    """Which line holds row ``n`` of a table."""
    tables = lines[0]["tables"]
    before = sum(tables[name][1] for name in list(tables)[: list(tables).index(table)])
    return 1 + before + n


def change(table: str, column: str, value: Any) -> Callable[[Lines], None]:
    def apply(lines: Lines) -> None:
        at = lines[0]["tables"][table][0].index(column)
        lines[row(lines, table)][at] = value

    return apply


def drop(table: str) -> Callable[[Lines], None]:
    def apply(lines: Lines) -> None:
        del lines[row(lines, table)]
        lines[0]["tables"][table][1] -= 1

    return apply


def add_after_the_head(lines: Lines) -> None:
    """An event in a block that the mirror does not hold: no digest would cover it."""
    extra = list(lines[row(lines, "event")])
    extra[0], extra[1] = 10**6 << 24, 10**6
    lines.insert(row(lines, "event", lines[0]["tables"]["event"][1]), extra)
    lines[0]["tables"]["event"][1] += 1


def last_block(lines: Lines) -> None:
    del lines[row(lines, "block", lines[0]["tables"]["block"][1] - 1)]
    lines[0]["tables"]["block"][1] -= 1


WORD = "ab" * 32
TAMPERED: dict[str, Callable[[Lines], None]] = {
    "consent changed": change("consent", "commitment", WORD),
    "consent never ended": change("consent", "valid_to", 3),
    "event changed": change("event", "event", "ConsentGranted"),
    "event left out": drop("event"),
    "consent left out": drop("consent"),
    "block left out": drop("block"),
    "last block left out": last_block,
    "digest changed": change("block", "digest", WORD),
    "row after the head": add_after_the_head,
    "number as text": change("batch", "count", "many"),
    "number too large": change("batch", "count", 2**70),
    "word that is none": change("consent", "subject", "xyz"),
    "row too short": lambda lines: lines[row(lines, "event")].pop(),
    "row doubled": lambda lines: lines.insert(row(lines, "event"), lines[row(lines, "event")]),
    "one line more": lambda lines: lines.append([]),
    "one line less": lambda lines: lines.pop(),
    "row is no list": lambda lines: lines.__setitem__(row(lines, "event"), 7),
    "head's digest": lambda lines: lines[0].update(digest=WORD),
    "head's height": lambda lines: lines[0].update(height=7),
    "another ledger": lambda lines: lines[0].update(ledger_id=WORD),
    "another kind": lambda lines: lines[0].update(kind="healthtrust/other"),
    "another version": lambda lines: lines[0].update(version=2),
    "other tables": lambda lines: lines[0]["tables"].pop("spend"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_changed_is_refused_and_nothing_of_it_stays(name: str, file: Path, tmp_path: Path) -> None:
    tampered(file, name)
    refused(file, f"sqlite:///{tmp_path / 'target.db'}")


@pytest.mark.postgres
def test_postgres_refuses_it_too(file: Path, postgres_url: str) -> None:
    whole = file.read_bytes()
    for name in ("consent changed", "number too large", "row after the head", "row doubled", "one line less"):
        file.write_bytes(whole)
        tampered(file, name)
        refused(file, postgres_url)
    file.write_bytes(whole)
    snapshot.restore(opened(postgres_url), file)


def tampered(file: Path, name: str) -> None:
    lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    TAMPERED[name](lines)
    # json, because orjson writes no number above 64 bits, which a file may hold.
    file.write_bytes(gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines)))


def refused(file: Path, database_url: str) -> None:
    target = opened(database_url)
    with pytest.raises(SnapshotRefused):
        snapshot.restore(target, file)
    assert not any(dump(target).values())
    with target.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(CURSOR)) == 0


@pytest.mark.parametrize("damage", ["cut", "flipped", "not gzip", "empty"])
def test_a_damaged_file_is_refused(damage: str, file: Path, tmp_path: Path) -> None:
    raw = bytearray(file.read_bytes())
    if damage == "flipped":
        raw[len(raw) // 2] ^= 1
    file.write_bytes({"cut": bytes(raw[: len(raw) // 2]), "not gzip": b"SQLite", "empty": b""}.get(damage, bytes(raw)))
    refused(file, f"sqlite:///{tmp_path / 'target.db'}")


def test_another_digest_than_was_agreed_on_is_refused(file: Path, tmp_path: Path) -> None:
    target = opened(f"sqlite:///{tmp_path / 'target.db'}")
    with pytest.raises(SnapshotRefused, match="not the expected"):
        snapshot.restore(target, file, bytes(32))


def test_a_mirror_is_not_written_over(file: Path, database_url: str) -> None:
    made = follower(told(4, 5), database_url)
    made.catch_up()
    before = dump(made.database)
    with pytest.raises(NotEmpty):
        snapshot.restore(made.database, file)
    assert dump(made.database) == before


def test_an_empty_mirror_is_not_exported(tmp_path: Path) -> None:
    database = opened(f"sqlite:///{tmp_path / 'a.db'}")
    database.prepare()
    with pytest.raises(SnapshotRefused, match="nothing to export"):
        snapshot.export(database, tmp_path / "x")
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("x")] == []


# back to a block


@pytest.mark.parametrize("height", [-1, 0, 17, 40, 99])
def test_reset_leaves_what_was_there_then_and_following_goes_on(height: int, database_url: str, tmp_path: Path) -> None:
    ledger = told(4, 40)
    made = follower(ledger, database_url)
    made.catch_up()
    end = made.cursor
    after = reset(made.database, height)
    assert after.height == min(height, 40)
    with made.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.max(BLOCK.c.height))) == (None if height < 0 else after.height)
    assert verify(made.database) is None
    again = follower(ledger, database_url)
    again.catch_up()
    assert again.cursor == end
    assert dump(again.database) == dump(fresh(ledger, tmp_path).database)


def test_reset_does_not_pull_the_rug_from_under_a_follower(database_url: str) -> None:
    made = follower(told(4, 10), database_url)
    made.catch_up()
    Reporter(made.database).report("following")
    with pytest.raises(FollowerRuns, match="stop it first"):
        reset(made.database, 5)
    Reporter(made.database).report("stopped")
    assert reset(made.database, 5).height == 5
    with made.database.read() as connection:
        said = condition.read(connection)
    assert said is not None
    assert said.unwound == 5


def test_reset_of_nothing_is_refused(database_url: str) -> None:
    database = opened(database_url)
    database.prepare()
    with pytest.raises(Malformed, match="empty"):
        reset(database, 3)
    with pytest.raises(Malformed):
        reset(database, -2)
