"""`compare` names the first block that differs, however two mirrors came to differ, and `verify` a mirror's own first lie."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.settings import Settings
from mirror import compare, rebuild
from mirror.database import Database
from mirror.rebuild import NotEmpty, build
from tests.mirror.scripted import ScriptedLedger, Story
from tests.mirror.support import follower, fresh, mine, told


def url(tmp_path: Path, name: str) -> str:
    return f"sqlite:///{tmp_path / name}"


@pytest.mark.parametrize("fork", [1, 2, 17, 29, 30])
def test_the_first_different_block_is_named(fork: int, tmp_path: Path) -> None:
    one, two = told(1, 30), told(1, 30)
    two.cut(fork - 1)
    mine(two, Story(two, random.Random(99)), 35 - fork)
    a, b = fresh(one, tmp_path, "a.db"), fresh(two, tmp_path, "b.db")
    found = compare.compare_databases(a.database, b.database)
    assert found is not None
    assert found.height == fork
    assert "different blocks" in found.what


def test_equal_mirrors_and_a_mirror_that_is_only_behind_agree(tmp_path: Path) -> None:
    ledger, short = told(1, 30), told(1, 30)
    short.cut(12)
    fresh(ledger, tmp_path, "a.db")
    fresh(short, tmp_path, "b.db")
    assert compare.compare(url(tmp_path, "a.db"), url(tmp_path, "b.db")) is None


def test_mirrors_of_different_ledgers_differ_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh(told(1, 3), tmp_path, "a.db")
    monkeypatch.setattr("tests.mirror.scripted.LEDGER_ID", b"\7" * 32)
    fresh(told(1, 3), tmp_path, "b.db")
    found = compare.compare(url(tmp_path, "a.db"), url(tmp_path, "b.db"))
    assert found is not None
    assert found.height == -1


TAMPERING = [
    "UPDATE consent SET status = 1 WHERE status = 3",
    "UPDATE event SET args = replace(args, '0x1', '0x2')",
    "DELETE FROM evidence",
    "UPDATE consent SET valid_to = NULL",
    "UPDATE organisation SET valid_to = valid_from + 1 WHERE valid_to IS NULL",
    "INSERT INTO vote SELECT position, height, transaction_id, transaction_id FROM event WHERE height = 9",
    "UPDATE entry SET subject = record",
    "DELETE FROM block WHERE height = 20",
    "UPDATE block SET parent = hash WHERE height = 20",
]


@pytest.mark.parametrize("change", TAMPERING)
def test_rows_changed_by_hand_are_found(change: str, tmp_path: Path) -> None:
    ledger = told(4, 60)
    live = fresh(ledger, tmp_path, "a.db")
    fresh(ledger, tmp_path, "b.db")
    assert compare.verify(live.database) is None
    with live.database.write() as connection:
        assert connection.exec_driver_sql(change).rowcount > 0
    assert compare.verify(live.database) is not None
    assert compare.compare(url(tmp_path, "a.db"), url(tmp_path, "b.db")) is not None


def test_verify_names_the_first_block_that_lies(tmp_path: Path) -> None:
    live = fresh(told(4, 60), tmp_path)
    with live.database.write() as connection:
        heights = connection.exec_driver_sql("SELECT height FROM evidence ORDER BY position").scalars().all()
        connection.exec_driver_sql("DELETE FROM evidence WHERE height >= ?", (heights[len(heights) // 2],))
    found = compare.verify(live.database)
    assert found is not None
    assert found.height == heights[len(heights) // 2]


def test_digests_can_be_compared_without_the_other_database(tmp_path: Path) -> None:
    live = fresh(told(4, 60), tmp_path)
    digests = {h: compare.digest_at(live.database, h) or b"" for h in range(61)}
    assert compare.differing(live.database, digests) is None
    assert compare.differing(live.database, {**digests, 30: b"\0" * 32, 40: b"\0" * 32}) == 30
    assert compare.differing(live.database, {61: b"\0" * 32}) == 61


def test_rows_that_only_one_has_are_named(tmp_path: Path) -> None:
    ledger = told(4, 60)
    live = fresh(ledger, tmp_path, "a.db")
    fresh(ledger, tmp_path, "b.db")
    with live.database.write() as connection:
        height = connection.execute(sa.text("SELECT min(height) FROM evidence")).scalar_one()
        connection.execute(sa.text("DELETE FROM evidence WHERE height = :h"), {"h": height})
    found = compare.compare(url(tmp_path, "a.db"), url(tmp_path, "b.db"))
    assert found is not None
    assert found.height == height
    assert found.rows[0].startswith(f"evidence, only in {url(tmp_path, 'b.db')}: position ")
    assert str(found).startswith(f"block {height}: the rows in the tables do not give the stored digest\nevidence, only in")


def test_a_mirror_is_compared_with_the_node_beside_the_one_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = told(4, 60)
    monkeypatch.setattr(rebuild, "ledger_of", lambda _settings: ledger)
    settings = Settings(home=tmp_path / "home")
    live = fresh(ledger, tmp_path, "live.db")
    assert rebuild.compare_with_node(settings, url(tmp_path, "live.db")) is None
    with live.database.write() as connection:
        connection.execute(sa.text("UPDATE event SET args = replace(args, '0x1', '0x2')"))
    found = rebuild.compare_with_node(settings, url(tmp_path, "live.db"))
    assert found is not None
    assert any(row.startswith("event, only in") for row in found.rows)
    assert list((tmp_path / "home" / "mirror").iterdir()) == []


def test_a_rebuild_gives_the_digest_of_the_live_mirror_after_its_reorganisations(tmp_path: Path) -> None:
    ledger = ScriptedLedger()
    story, live = Story(ledger, random.Random(2)), follower(ledger, url(tmp_path, "live.db"))
    for _ in range(10):
        mine(ledger, story, 6)
        live.catch_up()
        ledger.cut(len(ledger.chain) - 3)
    live.catch_up()
    target = Database(url(tmp_path, "new.db"))
    assert build(ledger, target, 64, 7) == (live.cursor.height, live.cursor.digest)
    with pytest.raises(NotEmpty, match="name a new database"):
        build(ledger, target, 64, 7)
    target.close()


def test_the_digest_is_the_one_of_the_formats_page(tmp_path: Path) -> None:
    """A second implementation, from docs/formats.md section 12 alone, over one block."""
    import hashlib

    ledger, word = ScriptedLedger(), b"\5" * 32
    ledger.extend([("Evidence", "EvidenceRecorded", {"organisation": word, "number": 3, "kind": word, "digest": word})])
    live = fresh(ledger, tmp_path)

    def sm3(data: bytes) -> bytes:
        return hashlib.new("sm3", data).digest()

    def u64(n: int) -> bytes:
        return n.to_bytes(8, "big")

    def sized(text: str) -> bytes:
        return len(text.encode()).to_bytes(4, "big") + text.encode()

    info, hex_ = ledger.info(), "0x" + word.hex()
    start = sm3(b"healthtrust/mirror/v1".ljust(32, b"\0") + info.ledger_id + info.genesis)
    after_genesis = sm3(start + ledger.chain[0][0].hash)
    block, events = ledger.chain[1]
    position, transaction = u64(1 << 24), bytes.fromhex(events[0].transaction[2:])
    args = f'{{"digest":"{hex_}","kind":"{hex_}","number":3,"organisation":"{hex_}"}}'
    event = position + u64(1) + transaction + sized("Evidence") + sized("EvidenceRecorded") + sized(args)
    evidence = position + u64(1) + word + u64(3) + word + word
    rows = b"event".ljust(32, b"\0") + u64(1) + event + b"evidence".ljust(32, b"\0") + u64(1) + evidence
    assert live.cursor.digest == sm3(after_genesis + block.hash + rows)


def test_every_version_of_a_state_can_be_read_back(tmp_path: Path) -> None:
    live = fresh(told(4, 60), tmp_path)
    with live.database.read() as connection:
        total = connection.scalar(sa.text("SELECT count(*) FROM consent"))
        by_block = sum(len(rows) for h in range(61) for r, rows in compare.rows_of(connection, h).items() if r.name == "consent")
    assert total == by_block > 0
