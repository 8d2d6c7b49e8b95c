"""The Fabric driver on a real network: what goes wrong there and what it is called, and that nothing happens twice."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from core.crypto import sm3
from core.words import kind_word
from gateway.ledger import actions, endorsing, outbox
from gateway.ledger.db import open_sessions
from gateway.ledger.deployment import CONTRACTS
from gateway.ledger.fabric.blocks import read_block
from gateway.ledger.fabric.codec import Codec
from gateway.ledger.fabric.errors import translated
from gateway.ledger.fabric.found import Founder, found
from gateway.ledger.fabric.gateway import Gateway, Peer
from gateway.ledger.fabric.identity import Identity, LocalSigner
from gateway.ledger.fabric.open import connect
from gateway.ledger.fabric.protos import message
from gateway.ledger.fabric.wallet import Wallet
from gateway.ledger.factory import open_ledger
from gateway.ledger.outbox import FAILED, SUCCEEDED, Operation
from gateway.ledger.port import Call, Prepared
from gateway.ledger.reasons import LedgerError, Reason
from gateway.settings import FabricSettings, LedgerSettings, Settings
from tests.conformance.refusals import reason_of
from tests.support.chains import FabricChain
from tests.support.fabric_double import certificate
from tests.support.waiting import until
from tests.support.world import World, await_outcome, build_world, grant_call

pytestmark = pytest.mark.fabric
KIND = kind_word("test")
SECONDS = 120.0


@pytest.fixture(scope="module")
def world(fabric_chain: FabricChain) -> Iterator[World]:
    made = build_world(fabric_chain)
    yield made
    made.close()


@pytest.fixture
def gateway(world: World, fabric_chain: FabricChain) -> Iterator[Gateway]:
    made = fabric_chain.gateway(fabric_chain.identity(world.operator.key))
    yield made
    made.close()


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[sessionmaker[Session]]:
    made = open_sessions(f"sqlite:///{tmp_path / 'outbox.db'}", outbox.metadata)
    yield made
    made.kw["bind"].dispose()


def evidence(text: str) -> Call:
    return Call("Evidence", "record", {"kind": KIND, "digest": sm3(text.encode())})


def chaincode(fabric_chain: FabricChain) -> str:
    assert fabric_chain.deployment is not None
    return fabric_chain.deployment.chaincode


def refusal(gateway: Gateway, name: str, *args: bytes) -> Reason:
    """Why a call is not endorsed."""

    def endorse() -> None:
        with translated("endorse", refusal=Codec().refusal):
            gateway.endorse(gateway.propose(name, args))

    return reason_of(endorse)


def proposed(text: str) -> Call:
    return actions.suspend(sm3(text.encode()))


def test_what_was_overtaken_did_nothing_and_never_will(world: World, gateway: Gateway) -> None:
    first, second = (world.ledger.prepare(world.signed(world.operator, proposed(text))) for text in ("a", "b"))
    world.ledger.submit([first, second])
    outcomes = [await_outcome(world.ledger, p.id, SECONDS) for p in (first, second)]
    assert [o.status for o in outcomes] == ["committed", "failed"]
    assert (outcomes[1].reason, outcomes[1].detail, outcomes[1].events) == (Reason.CONFLICT, "MVCC_READ_CONFLICT", ())
    gateway.submit(second.id[2:], second.raw)
    after = world.send((world.operator, proposed("c")))[0]
    assert world.ledger.outcome(second.id) == outcomes[1]
    told = [e for block in world.ledger.events(outcomes[0].height or 0, after.height or 0) for e in block]
    assert second.id not in {e.transaction for e in told}
    assert {first.id, after.id} <= {e.transaction for e in told}


def test_overtaken_by_a_change_of_who_must_endorse_is_prepared_again_too(world: World) -> None:
    first, second = world.ledger.prepare(evidence("a")), world.ledger.prepare(evidence("b"))
    world.ledger.submit([first, second])
    outcomes = [await_outcome(world.ledger, p.id, SECONDS) for p in (first, second)]
    assert [o.status for o in outcomes] == ["committed", "failed"]
    assert outcomes[1].reason in endorsing.AGAIN


def test_the_outbox_brings_every_write_about_once(world: World, sessions: sessionmaker[Session]) -> None:
    resident = world.resident()
    nonce = world.consent_nonce(resident)
    grants = [world.sign(resident, world.scope(resident, world.hospital), nonce=nonce + n) for n in range(3)]
    bad = Call("Evidence", "record", {"kind": KIND, "digest": bytes(32)})
    calls = [*(grant_call(g) for g in grants), *(evidence(f"outbox {n}") for n in range(6)), bad]
    start = world.ledger.head().height
    with sessions.begin() as session:
        for n, call in enumerate(calls):
            outbox.enqueue(session, f"{n}", "test", call)

    def rows() -> list[Operation]:
        with sessions() as session:
            return list(session.scalars(select(Operation).order_by(Operation.seq)))

    def done() -> bool:
        outbox.work(sessions, world.ledger)
        return all(r.state in (SUCCEEDED, FAILED) for r in rows())

    until(done, seconds=SECONDS)
    assert [r.state for r in rows()] == [SUCCEEDED] * 9 + [FAILED]
    assert rows()[-1].detail == "ZeroValue"
    told = [e for block in world.ledger.events(start + 1, world.ledger.head().height) for e in block]
    assert [e.args["consent"] for e in told if e.name == "ConsentGranted"] == [g.consent for g in grants]
    recorded = [e.args["digest"] for e in told if e.name == "EvidenceRecorded"]
    assert sorted(recorded) == sorted(c.args["digest"] for c in calls[3:9])
    with sessions() as session:
        assert outbox.consistent(session, world.ledger)


def test_an_unknown_chaincode_is_not_found(gateway: Gateway) -> None:
    assert refusal(gateway, "nobody", b"Alliance.name", b"{}") is Reason.NOT_FOUND


def test_another_channel_is_the_wrong_chain(world: World, fabric_chain: FabricChain) -> None:
    who = fabric_chain.identity(world.operator.key)
    elsewhere = Gateway(who, "elsewhere", fabric_chain.profile.own(who.msp), SECONDS)
    with pytest.raises(LedgerError) as raised, translated("prepare"):
        elsewhere.evaluate(elsewhere.propose(chaincode(fabric_chain), [b"Alliance.name", b"{}"]))
    elsewhere.close()
    assert raised.value.reason is Reason.WRONG_CHAIN


def test_another_alliance_behind_the_name_is_the_wrong_chain(world: World, fabric_chain: FabricChain) -> None:
    assert fabric_chain.deployment is not None
    other = replace(fabric_chain.deployment, ledger_id=bytes(32))
    who = fabric_chain.identity(world.operator.key)
    assert reason_of(lambda: connect(fabric_chain.profile, other, who, fabric_chain.limits)) is Reason.WRONG_CHAIN


def test_a_certificate_of_nobody_we_know_is_denied(world: World, fabric_chain: FabricChain) -> None:
    signer = LocalSigner.from_secret(secrets.token_bytes(32))
    msp = fabric_chain.identity(world.operator.key).msp
    stranger = fabric_chain.gateway(Identity(msp, certificate(signer.key), signer))
    assert refusal(stranger, chaincode(fabric_chain), b"Alliance.leave", b"{}") is Reason.DENIED
    stranger.close()


def test_anothers_certificate_without_its_key_is_denied(world: World, fabric_chain: FabricChain) -> None:
    real = fabric_chain.identity(world.operator.key)
    thief = fabric_chain.gateway(replace(real, signer=LocalSigner.from_secret(secrets.token_bytes(32))))
    assert refusal(thief, chaincode(fabric_chain), b"Alliance.leave", b"{}") is Reason.DENIED
    thief.close()


def test_an_account_is_no_member_before_it_is_invited(world: World, fabric_chain: FabricChain) -> None:
    nobody = fabric_chain.open(secrets.token_bytes(32))
    with pytest.raises(LedgerError) as raised:
        nobody.prepare(evidence("nobody"))
    nobody.close()
    assert (raised.value.reason, raised.value.error, raised.value.stage) == (Reason.REJECTED, "NotAMember", "endorse")


def test_too_large_a_write_is_refused_where_it_is_sent(world: World) -> None:
    entries = bytes(256 * 60_000)
    call = Call("DataIndex", "anchorEntries", {"root": KIND, "firstSequence": 0, "count": 60_000, "previousRoot": bytes(32)})
    big = replace(call, args={**call.args, "entries": entries})
    refused = reason_of(lambda: world.hospital.ledger.prepare(big))
    assert refused in (Reason.REJECTED, Reason.TOO_LARGE)
    padded = world.ledger.prepare(evidence("padded"))
    envelope = message("common.Envelope").FromString(padded.raw)
    envelope.signature += bytes(12 * 1024 * 1024)
    too_large = Prepared(envelope.SerializeToString(), padded.id, padded.account, 0)
    assert reason_of(lambda: world.ledger.submit(too_large)) is Reason.TOO_LARGE
    assert world.ledger.outcome(padded.id).status == "unknown"


def test_a_name_takes_one_alliance(world: World, fabric_chain: FabricChain, gateway: Gateway) -> None:
    member = world.operator
    with pytest.raises(LedgerError) as raised:
        found(gateway, chaincode(fabric_chain), "again", Founder(member.id, member.code, member.sm2.public, member.roles))
    assert raised.value.error == "AlreadyFounded"


def test_an_opened_scope_is_in_no_block(world: World, gateway: Gateway) -> None:
    resident, doctor = world.resident(), world.practitioner(world.hospital)
    made = world.grant(resident, world.scope(resident, doctor))
    assert world.decide(world.request(resident, doctor, world.platform), made)["outcome"] == 1
    head = world.ledger.head().height
    chain = b"".join(b.SerializeToString() for b in gateway.blocks(0, head))
    assert made.consent.hex().encode() in chain
    for secret in (made.salt, made.scope.words()):
        assert secret.hex().encode() not in chain
        assert secret not in chain


def test_events_are_replayed_from_the_first_block_and_from_a_checkpoint(
    world: World, gateway: Gateway, fabric_chain: FabricChain
) -> None:
    codec, name = Codec.load(list(CONTRACTS)), chaincode(fabric_chain)
    wanted = [e for block in world.ledger.events(0, world.ledger.head().height) for e in block]
    told: list[tuple[int, str, str]] = []
    marks = []
    stream = gateway.events(name, 0)
    while len(told) < len(wanted):
        reported = next(stream)
        marks.append((reported.height, reported.events[-1].tx_id))
        told += [(reported.height, c, n) for e in reported.events for c, n, _ in codec.reported(e.payload)]
    stream.close()
    assert told == [(e.height, e.contract, e.name) for e in wanted]
    height, last = marks[1]
    after = gateway.events(name, height, after=last)
    assert next(after).height > height
    after.close()


def test_a_peer_that_is_away_is_passed_over(world: World, fabric_chain: FabricChain) -> None:
    who = fabric_chain.identity(world.operator.key)
    (own,) = fabric_chain.profile.own(who.msp)
    gateway = Gateway(who, "health", [Peer("127.0.0.1:1", own.tls_root), own], SECONDS)
    assert gateway.evaluate(gateway.propose("qscc", [b"GetChainInfo", b"health"]))
    assert read_block(next(gateway.blocks(0, 0))).height == 0
    gateway.close()


def test_settings_open_the_ledger(world: World, fabric_chain: FabricChain, tmp_path: Path) -> None:
    assert fabric_chain.deployment is not None
    (tmp_path / "contracts.json").write_text(json.dumps(fabric_chain.deployment.dump()))
    who = fabric_chain.identity(world.operator.key)
    wallet = Wallet(tmp_path / "fabric" / "wallet", who.msp)
    reader = LocalSigner.from_secret(secrets.token_bytes(32))
    assert isinstance(who.signer, LocalSigner)
    wallet.put_account(who.signer.key.public_key(), who.certificate)
    wallet.put_reader(reader.key, fabric_chain.network.issue(who.msp, "reader", reader.key.public_key()))
    place = FabricSettings(msp=who.msp, profile=str(fabric_chain.network.profile))
    settings = Settings(home=tmp_path, ledger=LedgerSettings(kind="fabric", fabric=place, timeout_seconds=SECONDS))
    for key, account in ((world.operator.key, world.operator.account), (None, "")):
        opened = open_ledger(settings, key)
        assert opened.info().account == account
        assert opened.read(Call("Alliance", "name")) == world.name
        opened.close()
    assert reason_of(lambda: open_ledger(settings, secrets.token_bytes(32))) is Reason.NOT_FOUND
