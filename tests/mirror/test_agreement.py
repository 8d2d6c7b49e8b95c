"""Organisations say on the ledger what their mirrors hold; an auditor sees who agrees, and from where on somebody does not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from core.attestation import Statement, evidence
from core.errors import Malformed
from gateway.ledger.port import Call
from mirror.agreement import Agreement, agreement, evidence_calls
from mirror.live import Live, held
from mirror.loop import Follower
from tests.mirror.alliance import Organisation
from tests.mirror.scripted import ScriptedLedger, Story
from tests.mirror.support import follower, fresh, mine


@pytest.fixture
def members() -> list[Organisation]:
    return [Organisation.number(n) for n in range(3)]


@pytest.fixture
def ledger(members: list[Organisation]) -> ScriptedLedger:
    made = ScriptedLedger(3)
    made.extend([event for member in members for event in member.joins()])
    mine(made, Story(made, random.Random(3)), 20)
    return made


def asked(made: Follower) -> Agreement:
    made.catch_up()
    return agreement(Live(made.database))


def said_by(made: Follower, member: Organisation, height: int) -> list[Call]:
    return evidence_calls(Live(made.database), member.id, member.sign, height)


def test_mirrors_built_apart_agree(
    members: list[Organisation], ledger: ScriptedLedger, database_url: str, tmp_path: Path
) -> None:
    mirrors = [follower(ledger, database_url), fresh(ledger, tmp_path, "b.db"), fresh(ledger, tmp_path, "c.db")]
    for height in (10, 20):
        for member, mirror in zip(members, mirrors, strict=True):
            mirror.catch_up()
            member.records(ledger, said_by(mirror, member, height))
    found = asked(mirrors[0])
    assert [(at.height, at.agree, len(at.said)) for at in found.heights] == [(20, True, 3), (10, True, 3)]
    assert {(m.statements, m.newest, m.agreed, m.differs) for m in found.organisations} == {(2, 20, 20, None)}
    assert found.diverging == []
    recorded = {e.transaction for e in ledger.history() if e.name == "EvidenceRecorded"}
    assert {s.transaction for at in found.heights for s in at.said} <= recorded


def statement(made: Follower, height: int) -> Statement:
    with made.database.read() as connection:
        return Live(made.database).statement(held(connection, height))


def test_who_differs_and_from_which_height_on(members: list[Organisation], ledger: ScriptedLedger, database_url: str) -> None:
    made = follower(ledger, database_url)
    made.catch_up()
    honest, changed = members[:2]
    for height in (5, 10, 15):
        honest.records(ledger, said_by(made, honest, height))
        true = statement(made, height)
        digest = true.mirror_digest if height < 10 else bytes(31) + bytes([height])
        lie = Statement(true.ledger_id, height, true.block, digest, true.live_root, true.consents)
        changed.records(ledger, [Call("Evidence", "record", dict(zip(("kind", "digest"), r, strict=True)))
                                 for r in evidence(lie, changed.id, changed.sign)])  # fmt: skip
    found = asked(made)
    assert {m.organisation: (m.agreed, m.differs) for m in found.organisations} == {
        "0x" + honest.id.hex(): (15, None),
        "0x" + changed.id.hex(): (5, 10),
    }
    assert [at.agree for at in found.heights] == [False, False, True]
    assert [m.organisation for m in found.diverging] == ["0x" + changed.id.hex()]


def test_another_key_does_not_speak_for_an_organisation(
    members: list[Organisation], ledger: ScriptedLedger, database_url: str
) -> None:
    made = follower(ledger, database_url)
    made.catch_up()
    one, other = members[:2]
    one.records(ledger, evidence_calls(Live(made.database), one.id, other.sign, 10))
    one.records(ledger, said_by(made, one, 12)[2:])
    found = asked(made)
    assert [(s.agrees, s.signed) for at in found.heights for s in at.said] == [(True, False), (True, False)]
    assert not any(at.agree for at in found.heights)
    assert found.organisations[0].agreed is None


def test_a_mirror_behind_says_so_instead_of_judging(
    members: list[Organisation], ledger: ScriptedLedger, database_url: str, tmp_path: Path
) -> None:
    ahead = fresh(ledger, tmp_path)
    true = statement(ahead, 20)
    later = Statement(true.ledger_id, 10**6, true.block, true.mirror_digest, true.live_root, true.consents)
    calls = [Call("Evidence", "record", {"kind": k, "digest": d}) for k, d in evidence(later, members[0].id, members[0].sign)]
    members[0].records(ledger, calls)
    found = asked(follower(ledger, database_url))
    assert [(at.height, at.ours, at.agree, at.said[0].agrees, at.said[0].signed) for at in found.heights] == [
        (10**6, None, False, None, True)
    ]


def test_after_a_reorganisation_the_statement_is_the_new_branch_s(
    members: list[Organisation], ledger: ScriptedLedger, database_url: str
) -> None:
    made = follower(ledger, database_url)
    made.catch_up()
    live = Live(made.database)
    before = statement(made, 20)
    assert [c.args["digest"] for c in evidence_calls(live, members[0].id, members[0].sign, 20)][2] == before.digest
    ledger.cut(18)
    mine(ledger, Story(ledger, random.Random(8)), 5)
    made.catch_up()
    after = evidence_calls(live, members[0].id, members[0].sign, 20)[2].args["digest"]
    assert after == statement(made, 20).digest != before.digest


def test_a_block_the_mirror_does_not_hold_is_not_spoken_of(
    members: list[Organisation], ledger: ScriptedLedger, database_url: str
) -> None:
    made = follower(ledger, database_url)
    with pytest.raises(Malformed, match="block_unknown"):
        said_by(made, members[0], 3)
    made.catch_up()
    with pytest.raises(Malformed, match="block_unknown"):
        said_by(made, members[0], 999)
    with pytest.raises(Malformed, match="moment_malformed"), made.database.read() as connection:
        held(connection, 3, 1_700_000_003)


@pytest.mark.parametrize(("time", "height"), [(1_700_000_000, 0), (1_700_000_007, 7), (1_800_000_000, 21)])
def test_the_block_of_a_time(time: int, height: int, ledger: ScriptedLedger, database_url: str) -> None:
    made = follower(ledger, database_url)
    made.catch_up()
    with made.database.read() as connection:
        assert held(connection, time=time).height == height
        with pytest.raises(Malformed, match="block_unknown"):
            held(connection, time=1_699_999_999)
