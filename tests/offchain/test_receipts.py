"""The receipt log: numbered without gaps, chained, signed by groups, replay-proof; nothing is taken out or changed unseen."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from core import crypto
from core.bundle import group_words
from core.merkle import leaf_hash, verify_inclusion
from core.receipt import KIND, Receipt, check_chain, salted_leaf
from core.words import ZERO
from offchain.database import open_engine
from offchain.receipts import Draft, ReceiptLog, ReceiptsDamaged, receipt_bytes

STORE = crypto.sm3(b"store")
KEYS = crypto.sm2_generate()
WORD = "0x" + "ab" * 32


Open = Callable[[], ReceiptLog]


@pytest.fixture
def open_log(database_url: str) -> Iterator[Open]:
    """Opens the log as another process would."""
    engines = []

    def opened() -> ReceiptLog:
        engines.append(open_engine(database_url))
        return ReceiptLog(engines[-1], STORE, lambda message: crypto.sm2_sign(KEYS.private, message))

    yield opened
    for engine in engines:
        engine.dispose()


@pytest.fixture
def log(open_log: Open) -> ReceiptLog:
    return open_log()


def body(**changes: Any) -> dict[str, Any]:
    words = dict.fromkeys(
        ("requester", "organisation", "subject", "record", "consent", "fields", "block", "request", "digest"), WORD
    )
    plain = {
        "kind": KIND,
        "version": 1,
        "store": f"0x{STORE.hex()}",
        "time": 1,
        "purpose": "TREAT",
        "outcome": "permit",
        "reason": "ok",
    }
    return {**words, **plain, "height": 5, **changes}


def drafts(count: int) -> list[Draft]:
    return [Draft(body(time=n), secrets.token_bytes(32), 1000) for n in range(count)]


def test_numbers_and_chain_go_on_through_groups_and_restarts(open_log: Open) -> None:
    for size in (1, 3, 8):
        open_log().write(drafts(size))
    log = open_log()
    assert log.check() == 12
    parsed = [Receipt.from_bytes(r.json) for r in log.rows(0, 100)]
    assert check_chain(parsed) is None
    assert [r.number for r in parsed] == list(range(12))


def test_every_receipt_is_proved_by_its_groups_signature(log: ReceiptLog) -> None:
    written = [r for r in log.write(drafts(7)) if r is not None]
    for receipt in (*written, *(log.get(r.number) for r in written)):
        assert receipt is not None
        tree = receipt.group.tree
        leaf = leaf_hash(salted_leaf(receipt.salt, receipt.json.encode()))
        assert verify_inclusion(leaf, receipt.number - receipt.group.first, len(tree), receipt.proof(), tree.root)
        assert crypto.sm2_verify(
            KEYS.public, group_words(STORE, tree.root, receipt.group.first, len(tree)), receipt.group.signature
        )


def test_a_nonce_is_good_for_one_receipt(open_log: Open) -> None:
    first, second = drafts(1)[0], drafts(1)[0]
    twice = Draft(body(), first.nonce, 1000)
    log = open_log()
    assert [r is not None for r in log.write([first, twice, second])] == [True, False, True]
    later = open_log()
    assert later.write([twice]) == [None]
    assert not later.claim(second.nonce, 1000)
    assert later.claim(secrets.token_bytes(32), 1000)
    later.forget_nonces(1001)
    assert later.claim(second.nonce, 2000)
    assert later.check() == 2


def test_bytes_are_the_canonical_json() -> None:
    from core.canonical import canonical

    raw = receipt_bytes(body(consent=None), 3, ZERO)
    assert raw == canonical(json.loads(raw))


def test_many_writers_of_many_processes_share_one_chain(open_log: Open) -> None:
    logs = [open_log() for _ in range(4)]
    threads = [threading.Thread(target=lambda log=log: [log.write(drafts(2)) for _ in range(10)]) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert open_log().check() == 80


def test_delivery_is_known_only_when_it_was_stored(open_log: Open) -> None:
    log = open_log()
    log.write(drafts(2))
    log.mark_delivered(0)
    assert not open_log().delivered(0), "a crash now leaves it undelivered"
    log.write(drafts(1))
    assert log.delivered(0)
    assert not log.delivered(1)


def test_the_newest_decision_is_found_behind_silent_refusals(log: ReceiptLog) -> None:
    assert log.newest_block() is None
    silent = [Draft(body(height=0, block="0x" + "00" * 32), secrets.token_bytes(32), 1000) for _ in range(600)]
    log.write(drafts(1))
    log.write(silent)
    assert log.newest_block() == bytes.fromhex(WORD[2:])


Damage = Callable[[ReceiptLog], None]


def sql(statement: str) -> Damage:
    def damage(log: ReceiptLog) -> None:
        with log._writing.begin() as connection:
            connection.execute(text(statement))

    return damage


def rewrite_one(log: ReceiptLog) -> None:
    """Change a receipt and its own hash, as somebody who knows the format would."""
    row = log.rows(4, 1)[0]
    changed = row.json.replace('"outcome":"permit"', '"outcome":"deny"')
    with log._writing.begin() as connection:
        values = {"json": changed, "hash": crypto.sm3(changed.encode())}
        connection.execute(text("UPDATE receipt SET json = :json, hash = :hash WHERE number = 4"), values)


@pytest.mark.parametrize(
    ("damage", "number"),
    [
        (sql("DELETE FROM receipt WHERE number = 5"), 5),
        (sql("UPDATE receipt SET json = replace(json, 'TREAT', 'HRESCH') WHERE number = 6"), 6),
        (rewrite_one, 5),
        (sql("UPDATE receipt SET salt = hash WHERE number = 7"), 7),
        (sql("DELETE FROM receipt WHERE number >= 8"), 7),
        (sql("UPDATE receipt_head SET next = 9"), 9),
        (sql("DELETE FROM receipt_group WHERE first = 7"), 7),
    ],
)
def test_damage_is_found(log: ReceiptLog, damage: Damage, number: int) -> None:
    for size in (7, 2, 2):
        log.write(drafts(size))
    damage(log)
    with pytest.raises(ReceiptsDamaged) as found:
        log.check()
    assert abs(found.value.number - number) <= 2


def test_a_cut_tail_does_not_start(open_log: Open) -> None:
    log = open_log()
    log.write(drafts(5))
    sql("DELETE FROM receipt WHERE number = 4")(log)
    with pytest.raises(ReceiptsDamaged, match="4 receipts are stored"):
        open_log()


def test_a_log_rolled_back_as_a_whole_disagrees_with_the_ledger(log: ReceiptLog) -> None:
    log.write(drafts(3))
    log.against(3, log.rows(2, 1)[0].hash)
    with pytest.raises(ReceiptsDamaged):
        log.against(4, log.rows(2, 1)[0].hash)
    with pytest.raises(ReceiptsDamaged):
        log.against(3, crypto.sm3(b"another"))


def test_batches_follow_each_other_and_prove_each_receipt(log: ReceiptLog) -> None:
    assert log.new_batch() is None
    log.write(drafts(5))
    first = log.new_batch()
    assert first is not None
    assert (first.first, first.count, first.head) == (0, 5, log.rows(4, 1)[0].hash)
    assert log.open_batch() == first
    assert log.anchor(2) is None
    log.settle_batch(first, 0, 12)
    log.write(drafts(3))
    second = log.new_batch()
    assert second is not None
    assert (second.first, second.count) == (5, 3)
    log.retry_batch(second)
    assert log.open_batch() != second
    found = log.anchor(2)
    assert found is not None
    row = log.rows(2, 1)[0]
    proof = found[1]
    leaf = leaf_hash(salted_leaf(row.salt, row.json.encode()))
    assert verify_inclusion(leaf, proof.leaf_index, proof.tree_size, proof.hashes, first.root)
    assert [b.first for b in log.unpublished()] == [0]
    log.published(first)
    assert log.unpublished() == []
