"""Anchoring on a ledger: contiguous batches, proofs that hold, retries in order, publishing; a changed index is found out."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from core import merkle
from core.entry import IndexEntry
from core.words import ZERO
from gateway.ledger import outbox
from gateway.ledger.port import Call
from offchain.anchor import Anchorer, Mode, NotAnchored
from offchain.intake.writer import Batch, Version, Writer
from offchain.models import AnchorBatch, EntryRow
from offchain.trees import TreeDamaged, TreeFile, write_tree
from tests.offchain.intake_kit import Kit, open_kit
from tests.support.chains import DoubleChain
from tests.support.world import Organisation, World, build_world


@pytest.fixture
def world() -> Iterator[World]:
    made = build_world(DoubleChain())
    yield made
    made.close()


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return open_kit(tmp_path)


class Scene:
    """A custodian with records to anchor, and its ledger."""

    def __init__(self, kit: Kit, owner: Organisation, home: Path, mode: Mode = "root", most: int = 10) -> None:
        self.kit, self.owner = kit, owner
        self.sessions = kit.custodian.sessions
        self.anchorer = Anchorer(owner.id, self.sessions, home / "trees", mode=mode, batch_entries=most)
        self._writer = Writer(self.sessions, kit.custodian.store, kit.custodian.envelope, "test", 1)
        self._made = 0

    def add(self, count: int) -> None:
        """Store so many records."""
        names = [(self._made + i).to_bytes(32, "big") for i in range(count)]
        self._made += count
        made = [Version(n, 1, b"p" * 32, b"s" * 32, 3, n, ZERO, 1, n, b"content", False) for n in names]
        self._writer.write(Batch(made), 1)

    def work(self) -> int:
        """Send, wait, take over."""
        outbox.work(self.sessions, self.owner.ledger)
        outbox.work(self.sessions, self.owner.ledger)
        return self.anchorer.settle()

    def batches(self) -> list[AnchorBatch]:
        """All batches."""
        with self.sessions() as session:
            return list(session.scalars(select(AnchorBatch).order_by(AnchorBatch.batch)))

    def on_ledger(self, batch: int) -> dict[str, Any]:
        """What the contract holds."""
        found: dict[str, Any] = self.owner.ledger.read(
            Call("DataIndex", "batchOf", {"organisation": self.owner.id, "batch": batch})
        )
        return found


@pytest.fixture
def scene(kit: Kit, world: World, tmp_path: Path) -> Scene:
    return Scene(kit, world.hospital, tmp_path)


def test_every_entry_is_under_exactly_one_root_on_the_ledger(scene: Scene) -> None:
    scene.add(25)
    assert scene.anchorer.batch() == 3
    assert scene.anchorer.batch() == 0
    assert scene.work() == 3
    scene.add(2)
    assert scene.anchorer.batch() == 1
    assert scene.work() == 1
    assert [(b.first_sequence, b.count) for b in scene.batches()] == [(0, 10), (10, 10), (20, 5), (25, 2)]
    for sequence in range(27):
        proof = scene.anchorer.proof(sequence)
        entry = IndexEntry.unpack(proof.entry)
        assert (entry.sequence, entry.organisation) == (sequence, scene.owner.id)
        assert proof.holds()
        assert scene.on_ledger(proof.batch)["root"] == proof.root


def test_full_mode_carries_every_entry(kit: Kit, world: World, tmp_path: Path) -> None:
    scene = Scene(kit, world.hospital, tmp_path, mode="full", most=10_000)
    scene.add(450)
    assert scene.anchorer.batch() == 2
    assert scene.work() == 2
    head = world.hospital.ledger.head().height
    events = [e for block in world.hospital.ledger.events(0, head) for e in block if e.name == "EntriesAnchored"]
    carried = b"".join(e.args["entries"] for e in events)
    assert [IndexEntry.unpack(carried[i : i + 256]).sequence for i in range(0, len(carried), 256)] == list(range(450))


def test_an_entry_has_no_proof_before_it_is_on_the_ledger(scene: Scene) -> None:
    scene.add(1)
    for step in (scene.anchorer.batch, lambda: None):
        with pytest.raises(NotAnchored):
            scene.anchorer.proof(0)
        step()
    scene.work()
    assert scene.anchorer.proof(0).holds()


def test_a_changed_entry_no_longer_proves(scene: Scene) -> None:
    scene.add(3)
    scene.anchorer.batch()
    scene.work()
    with scene.sessions.begin() as session:
        session.execute(update(EntryRow).where(EntryRow.sequence == 1).values(subject=b"q" * 32))
    assert not scene.anchorer.proof(1).holds()
    assert scene.anchorer.proof(0).holds()
    scene.anchorer.tree_path(0).unlink()
    with pytest.raises(TreeDamaged, match="not the one anchored"):
        scene.anchorer.proof(0)


def test_a_lost_tree_file_is_made_again(scene: Scene) -> None:
    scene.add(7)
    scene.anchorer.batch()
    scene.work()
    scene.anchorer.tree_path(0).unlink()
    assert scene.anchorer.proof(6).holds()
    assert scene.anchorer.tree_path(0).exists()


def test_refused_batches_are_tried_again_in_order_and_then_left_to_a_human(scene: Scene, world: World) -> None:
    scene.add(25)
    scene.anchorer.batch()
    stranger = world.operator  # no custodian: the contract refuses its batches
    for _ in range(10):
        outbox.work(scene.sessions, stranger.ledger)
        outbox.work(scene.sessions, stranger.ledger)
        scene.anchorer.settle()
    assert {b.status for b in scene.batches()} == {"failed"}
    assert {b.attempt for b in scene.batches()} == {5}
    assert all("rejected" in str(b.reason) for b in scene.batches())
    assert scene.anchorer.retry() == 3
    assert scene.work() == 3
    assert all(scene.anchorer.proof(i).holds() for i in range(25))


def test_a_batch_the_ledger_forgot_is_no_proof_until_it_is_back(scene: Scene) -> None:
    scene.add(3)
    scene.anchorer.batch()
    scene.work()
    operation = update(outbox.Operation).where(outbox.Operation.kind == "index.anchor")
    with scene.sessions.begin() as session:
        session.execute(operation.values(state=outbox.INITIALISED, restoring=True))
    scene.anchorer.settle()
    with pytest.raises(NotAnchored):
        scene.anchorer.proof(0)
    with scene.sessions.begin() as session:
        session.execute(operation.values(state=outbox.SUCCEEDED, restoring=False, height=77))
    assert scene.anchorer.settle() == 1
    assert scene.anchorer.proof(0).holds()
    assert scene.batches()[0].height == 77


def test_publishing_goes_on_where_it_stopped(scene: Scene) -> None:
    class Gateway:
        def __init__(self) -> None:
            self.taken: list[dict[str, Any]] = []
            self.refuse = True

        def post_batch(self, document: dict[str, Any]) -> None:
            if self.refuse and len(self.taken) == 1:
                raise ConnectionError
            self.taken.append(document)

    scene.add(25)
    scene.anchorer.batch()
    gateway = Gateway()
    assert scene.anchorer.publish(gateway) == 0
    scene.work()
    with pytest.raises(ConnectionError):
        scene.anchorer.publish(gateway)
    gateway.refuse = False
    assert scene.anchorer.publish(gateway) == 2
    assert scene.anchorer.publish(gateway) == 0
    assert [d["batch"] for d in gateway.taken] == [0, 1, 2]
    for document in gateway.taken:
        whole = base64.b64decode(document["entries"])
        leaves = merkle.leaf_hashes(whole[i : i + 256] for i in range(0, len(whole), 256))
        assert "0x" + merkle.root(leaves).hex() == document["root"]
        assert len(leaves) == document["count"]
        assert document["transaction"].startswith("0x")


@settings(deadline=None)
@given(st.integers(1, 200))
def test_a_tree_file_proves_every_leaf_and_no_other(tmp_path_factory: pytest.TempPathFactory, size: int) -> None:
    leaves = [merkle.leaf_hash(bytes([i % 256, i // 256])) for i in range(size)]
    path = tmp_path_factory.mktemp("tree") / "t.tree"
    root = write_tree(path, leaves)
    assert root == merkle.root(leaves)
    with TreeFile(path) as tree:
        for i in range(size):
            found = tree.path(i)
            assert merkle.verify_inclusion(leaves[i], i, size, found.hashes, root)
            assert found.hashes == merkle.inclusion_proof(leaves, i)
            if size > 1:
                assert not merkle.verify_inclusion(leaves[(i + 1) % size], i, size, found.hashes, root)
        with pytest.raises(IndexError):
            tree.path(size)


def test_a_torn_tree_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.tree"
    write_tree(path, [merkle.leaf_hash(b"a"), merkle.leaf_hash(b"b")])
    whole = path.read_bytes()
    for torn in (b"", whole[:10], whole[:-1], whole + b"x", b"x" + whole[1:]):
        path.write_bytes(torn)
        with pytest.raises(TreeDamaged):
            TreeFile(path)
    with pytest.raises(ValueError, match="at least one"):
        write_tree(path, [])


def test_a_proof_of_another_entry_does_not_hold(scene: Scene) -> None:
    scene.add(4)
    scene.anchorer.batch()
    scene.work()
    a, b = scene.anchorer.proof(1), scene.anchorer.proof(2)
    assert not replace(a, entry=b.entry).holds()
    assert not replace(a, leaf_index=2).holds()
    assert not replace(a, root=ZERO).holds()
