"""A destroyed key is gone from the disk, also among hundreds whose pages are moved, split and freed."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, select

from offchain.database import forget_freed_pages
from offchain.models import RecordKey
from offchain.repository import Records
from tests.offchain.gate_kit import CODE, VALUES, GateKit
from tests.support.chains import DoubleChain
from tests.support.world import build_world


def test_hundreds_of_destroyed_keys_leave_no_byte_behind(tmp_path: Path) -> None:
    chain = DoubleChain()
    world = build_world(chain)
    kit = GateKit(world, tmp_path / "home")
    owner = world.resident()
    made = kit.put_many([(owner.subject, "laboratory-result", VALUES)] * 300)
    with kit.sessions() as session:
        wrapped = {key.record: key.wrapped for key in session.scalars(select(RecordKey))}
    doomed = [m.record for m in made[::2]]
    records = Records(kit.organisation.id, kit.store, kit.envelope)
    for record in doomed:
        with kit.changing() as session:
            records.destroy(session, record, by=b"a" * 32, reason="the resident asked for it", at=1)
    engine = kit.sessions.kw["bind"]
    assert isinstance(engine, Engine)
    forget_freed_pages(engine)
    files = (tmp_path / "home" / "custodians" / CODE).glob("store.db*")
    disk = b"".join(f.read_bytes() for f in files)
    assert all(wrapped[m.record] in disk for m in made[1::2])
    assert [r for r in doomed if wrapped[r] in disk] == []
    world.close()
    chain.close()
