"""Everything a gate must refuse, and what a refusal may tell (ARCHITECTURE.md, invariants 3, 4, 5, 6)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import select, update

from core import crypto
from core.hexes import to_hex
from core.httpsig import sign_request
from gateway.ledger import actions
from gateway.ledger.outbox import Operation
from gateway.ledger.reasons import LedgerError, Reason
from offchain.client import GateRefused, practitioner, resident
from offchain.gate.app import Options
from offchain.gate.crosscheck import LOOK_SECONDS
from offchain.models import AnchorBatch, EntryRow, RecordKey
from offchain.receipts import ReceiptsDamaged
from tests.offchain.gate_kit import URL, GateKit, Serving
from tests.offchain.gate_scene import PATIENT, Faulty, Scene
from tests.support.chains import DoubleChain
from tests.support.world import DAY, Practitioner, build_world

READ = f"{URL}/gate/v1/records/read"


class Clock:
    """Ours to turn."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def kit(tmp_path: Path) -> GateKit:
    return GateKit(build_world(DoubleChain()), tmp_path, **PATIENT)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def steps() -> list[str]:
    return []


@pytest.fixture
def faulty(kit: GateKit) -> Faulty:
    ledger = Faulty(kit.organisation.ledger)
    kit.organisation.ledger = ledger  # type: ignore[assignment]
    return ledger


@pytest.fixture
def scene(kit: GateKit, clock: Clock, steps: list[str], faulty: Faulty) -> Iterator[Scene]:
    with kit.serve(Options(clock=clock, step=steps.append)) as serving:
        yield Scene(kit, serving)


def signed_read(scene: Scene, key: bytes | None = None, url: str = READ, **options: Any) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a read that would be served."""
    s = scene.stored
    request = {"subject": to_hex(s.subject), "purpose": "TREAT", "record": to_hex(s.record), "schema": to_hex(s.schema)}
    request |= {"category": s.category, "fields": "all", "role": "physician"}  # type: ignore[dict-item]
    artefact = scene.kit.sealed(scene.consent)
    body = orjson.dumps({"request": request, "consent": to_hex(scene.consent.consent), "artefact": artefact})
    keyid = options.pop("keyid", f"practitioner:{to_hex(scene.doctor.id)}")
    return body, sign_request(key or scene.doctor.keys.private, keyid, "POST", url, body, **options)


def post(scene: Scene, body: bytes, headers: dict[str, str], serving: Serving | None = None) -> httpx.Response:
    return (serving or scene.serving).http.post(READ, content=body, headers=headers)


# ------------------------------------------------------------------------------------------------------------ who is asking


def test_bad_signatures_are_refused_without_a_receipt_in_anybodys_name(scene: Scene) -> None:
    stranger = crypto.sm2_generate()
    body, good = signed_read(scene)
    wrong_key = signed_read(scene, stranger.private)
    nobody = signed_read(scene, keyid=f"practitioner:{to_hex(crypto.sm3(b'nobody'))}")
    organisation = signed_read(
        scene, scene.kit.organisation.sm2.private, keyid=f"organisation:{to_hex(scene.kit.organisation.id)}"
    )
    elsewhere = signed_read(scene, url="http://other.test/gate/v1/records/read")
    expired = signed_read(scene, now=int(time.time()) - 400)
    early = signed_read(scene, now=int(time.time()) + 400)
    long_lived = signed_read(scene, life=301)
    other_body = (body.replace(b'"TREAT"', b'"HRESCH"'), good)
    unsigned = (body, {})
    for attempt in (wrong_key, nobody, organisation, elsewhere, expired, early, long_lived, other_body, unsigned):
        answer = post(scene, *attempt)
        assert answer.status_code == 401, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert scene.serving.receipts() == []
    assert post(scene, body, good).status_code == 200


def test_a_replay_is_refused_by_the_same_process_and_by_the_next(scene: Scene, kit: GateKit) -> None:
    body, headers = signed_read(scene)
    assert post(scene, body, headers).status_code == 200
    again = post(scene, body, headers)
    assert (again.status_code, again.json()["code"]) == (401, "request_replayed")
    with kit.serve() as restarted:
        later = post(scene, body, headers, restarted)
        assert (later.status_code, later.json()["code"]) == (401, "request_replayed")
    assert len(scene.serving.receipts()) == 1


def test_a_rotated_out_key_no_longer_reads(scene: Scene) -> None:
    old = scene.doctor.keys
    scene.doctor.keys = crypto.sm2_generate()
    world = scene.world
    world.send((world.platform, world.credential(scene.doctor, world.now() - 60, world.now() + DAY)))
    assert scene.read().elements == scene.stored.values
    assert post(scene, *signed_read(scene, old.private)).status_code == 401


def test_a_practitioner_called_like_the_resident_is_not_the_resident(scene: Scene) -> None:
    """Any organisation may issue a credential for any id, also for a resident's."""
    world = scene.world
    impostor = Practitioner(scene.resident.subject, crypto.sm2_generate(), world.platform, 1)
    world.send((world.platform, world.credential(impostor, world.now() - 60, world.now() + DAY)))
    client = scene.serving.by(practitioner(impostor.id, impostor.keys.private))
    s = scene.stored
    with pytest.raises(GateRefused, match="request_malformed"):
        client.read(s.subject, s.record, s.schema, s.category, purpose="PATRQT")
    with pytest.raises(GateRefused, match="request_malformed"):
        client.list(s.subject, purpose="PATRQT")
    reading = scene.serving.as_resident(scene.resident).read_own(s.subject, s.record, s.schema, s.category)
    with pytest.raises(GateRefused, match="receipt_not_yours"):
        client.complete(reading.bundle)


def test_a_resident_whose_key_was_lost_and_replaced_reads_with_the_new_one_only(scene: Scene) -> None:
    s = scene.stored
    stranger = scene.serving.by(resident(s.subject, crypto.sm2_generate().private))
    with pytest.raises(GateRefused, match="signature_invalid"):
        stranger.read_own(s.subject, s.record, s.schema, s.category)


# ------------------------------------------------------------------------------------------------------- what was not granted


def test_consent_of_another_subject(scene: Scene) -> None:
    other = scene.world.resident()
    foreign = scene.world.grant(other, scene.world.scope(other, scene.doctor))
    assert scene.refused(under=foreign).code == "subject_mismatch"


def test_an_artefact_of_another_consent_than_named(scene: Scene) -> None:
    other = scene.grant(categories={"allergy"})
    assert scene.refused(artefact=scene.kit.sealed(other)).code == "artefact_unreadable"


def test_an_artefact_sealed_for_another_custodian(scene: Scene) -> None:
    from core.artefact import seal

    platform = scene.world.platform
    sealed = seal(scene.consent, {platform.id: platform.sm2.public})
    assert scene.refused(artefact=sealed).code == "artefact_unreadable"
    assert scene.last_receipt()["reason"] == "artefact_unreadable"


def test_a_mask_wider_than_the_document_type(scene: Scene) -> None:
    assert scene.refused(fields=[256]).code == "fields_unknown"
    assert scene.refused(schema=crypto.sm3(b"no schema")).code == "schema_unknown"


def test_a_suspended_organisation(scene: Scene) -> None:
    world = scene.world
    number = world.send((world.operator, actions.suspend(world.platform.id)))[0].events[0].args["proposal"]
    world.send((world.hospital, actions.vote(number)))
    assert scene.refused().code == "organisation_inactive"


def test_an_ended_or_revoked_credential(scene: Scene) -> None:
    world = scene.world
    ended = world.practitioner(world.platform)
    world.send((world.platform, world.credential(ended, world.now() - 200, int(time.time()) + 1)))
    time.sleep(1.1)
    consent = world.grant(scene.resident, world.scope(scene.resident, ended))
    assert scene.refused(doctor=ended, under=consent).code == "credential_invalid"
    world.send((world.platform, world.dismissal(scene.doctor)))
    assert scene.refused().code == "credential_invalid"


def test_a_consent_made_up_by_a_doctor(scene: Scene) -> None:
    """Words, salt and seed all fit each other; the ledger never saw them."""
    invented = scene.world.sign(scene.resident, scene.world.scope(scene.resident, scene.doctor))
    refusal = scene.refused(under=invented)
    assert (refusal.code, scene.last_receipt()["outcome"]) == ("no_consent", "no-consent")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"purpose": "HRESCH"}, "purpose_not_granted"),
        ({"role": "nurse"}, "credential_invalid"),
        ({"under": None}, "no_consent"),
    ],
)
def test_other_purposes_roles_and_nothing_shown(scene: Scene, change: dict[str, Any], reason: str) -> None:
    assert scene.refused(**change).code == reason
    assert scene.last_receipt()["reason"] == reason


def test_whether_a_record_exists_is_in_no_refusal(scene: Scene, kit: GateKit, steps: list[str]) -> None:
    """Not there, another person's, of another category, not named by the consent: one answer, one receipt, one path."""
    foreign = kit.put(scene.world.resident())
    allergy = kit.put(scene.resident, "allergy", {})
    named = kit.put(scene.resident)
    kit.anchor()
    only = scene.grant(records=frozenset({named.record}))
    attempts: list[dict[str, Any]] = [
        {"record": crypto.sm3(b"nowhere")},
        {"record": foreign.record},
        {"record": allergy.record},
        {"record": scene.stored.record, "under": only},
        {"record": crypto.sm3(b"nowhere"), "under": only},
    ]
    seen = []
    for attempt in attempts:
        steps.clear()
        problem = scene.refused(**attempt).problem_document
        problem["params"].pop("receipt")
        receipt = scene.last_receipt()
        varying = ("number", "previous", "time", "record", "request", "consent", "height", "block")
        seen.append((problem, {k: v for k, v in receipt.items() if k not in varying}, list(steps)))
    for first, second in itertools.pairwise(seen):
        assert first == second
    assert seen[0][2] == ["admitted", "found", "decided", "receipt"]


def test_malformed_bodies_are_refused_in_the_callers_language(scene: Scene) -> None:
    for body in (b"", b"{", b"[]", b"{}", orjson.dumps({"request": {}, "consent": None, "artefact": None})):
        headers = (
            {}
            if not body
            else sign_request(scene.doctor.keys.private, f"practitioner:{to_hex(scene.doctor.id)}", "POST", READ, body)
        )
        for language, word in (("zh-CN", "格式"), ("en", "malformed")):
            answer = post(scene, body, {**headers, "accept-language": language})
            assert answer.status_code == 400
            assert word in answer.json()["detail"]
    assert post(scene, b"x" * (3 << 20), {}).status_code == 413


# --------------------------------------------------------------------------------------------------------- the store betrays


def test_a_record_that_is_not_anchored_yet(scene: Scene, kit: GateKit) -> None:
    assert scene.refused(kit.put(scene.resident)).code == "not_anchored"


def test_flipped_bits_in_the_store(scene: Scene, kit: GateKit) -> None:
    segment = next((kit.home / "custodians" / "TEST-SZXYY" / "records").glob("*.seg"))
    data = bytearray(segment.read_bytes())
    data[-20] ^= 1
    segment.write_bytes(data)
    assert scene.refused().code == "record_damaged"
    assert scene.last_receipt()["reason"] == "record_damaged"


def test_another_records_ciphertext_and_key_in_its_place(scene: Scene, kit: GateKit) -> None:
    other = kit.put(scene.resident, values={"name": "另一份"})
    kit.anchor()
    with kit.changing() as session:
        theirs = session.scalars(select(EntryRow).where(EntryRow.record == other.record)).one()
        place = {"segment": theirs.segment, "offset": theirs.offset, "length": theirs.length}
        session.execute(update(EntryRow).where(EntryRow.record == scene.stored.record).values(**place))
        wrapped = session.scalars(select(RecordKey.wrapped).where(RecordKey.record == other.record)).one()
        session.execute(update(RecordKey).where(RecordKey.record == scene.stored.record).values(wrapped=wrapped))
    assert scene.refused().code == "record_damaged"


def test_content_and_index_changed_together(scene: Scene, kit: GateKit) -> None:
    """The custodian's own administrator, with every key of the store, cannot change a record that was anchored."""
    forged = kit.put(scene.resident, values={"value": 99.9})
    with kit.changing() as session:
        fake = session.scalars(select(EntryRow).where(EntryRow.record == forged.record)).one()
        sealed = kit.envelope.seal(scene.stored.record, 1, scene.stored.schema, _plain(kit, fake))
        (place,) = kit.store.append([sealed.blob])
        values = {"commitment": fake.commitment, "segment": place.segment, "offset": place.offset, "length": place.length}
        session.execute(update(EntryRow).where(EntryRow.record == scene.stored.record).values(**values))
        session.execute(update(RecordKey).where(RecordKey.record == scene.stored.record).values(wrapped=sealed.wrapped))
    assert scene.refused().code == "record_damaged"
    for tree in (kit.home / "custodians" / "TEST-SZXYY" / "trees").iterdir():
        tree.unlink()  # made again from the changed rows, it leads to a root that the ledger does not hold
    with kit.serve() as fresh:
        assert scene.refused(serving=fresh).code == "record_damaged"


def test_a_batch_the_custodian_only_says_is_anchored(scene: Scene, kit: GateKit) -> None:
    late = kit.put(scene.resident)
    kit.anchorer.batch()
    with kit.changing() as session:
        session.execute(update(AnchorBatch).values(status="anchored"))
    assert scene.refused(late).code == "not_anchored"


def test_an_erased_record(scene: Scene, kit: GateKit) -> None:
    with kit.changing() as session:
        session.execute(update(RecordKey).where(RecordKey.record == scene.stored.record).values(wrapped=None))
    assert scene.refused().code == "record_erased"


# -------------------------------------------------------------------------------------------------------- ledger and clocks


def test_no_ledger_answer_is_no(scene: Scene, faulty: Faulty) -> None:
    scene.read()
    faulty.error = LedgerError(Reason.UNREACHABLE)
    refusal = scene.refused()
    assert (refusal.code, refusal.http_status) == ("ledger_unavailable", 503)
    assert scene.last_receipt()["reason"] == "ledger_unavailable"
    stranger = scene.world.practitioner(scene.world.platform)
    before = len(scene.serving.receipts())
    assert scene.refused(doctor=stranger).http_status == 503
    assert len(scene.serving.receipts()) == before, "a caller the gate cannot tell from anybody gets no receipt in that name"
    assert scene.serving.http.get(f"{URL}/gate/v1/health").status_code == 503
    faulty.error = None
    assert scene.read().elements == scene.stored.values


def test_a_ledger_that_lost_blocks(scene: Scene, faulty: Faulty) -> None:
    scene.read()
    faulty.error = LedgerError(Reason.RESET)
    assert scene.refused().code == "ledger_behind"


def test_an_old_head_and_clocks_that_disagree(scene: Scene, clock: Clock) -> None:
    scene.read()
    clock.ahead = 45.0
    assert scene.refused().code == "ledger_behind"
    clock.ahead = -90.0
    assert scene.refused().code == "clock_skew"
    assert scene.last_receipt()["reason"] == "clock_skew"


def test_the_first_difference_to_the_contract_stops_the_gate_for_good(scene: Scene, kit: GateKit, faulty: Faulty) -> None:
    scene.read()
    faulty.answers["Consent", "decide"] = {"outcome": 2, "reason": 8, "fields": 0}
    assert scene.refused().code == "gate_stopped"
    faulty.answers.clear()
    assert scene.refused().code == "gate_stopped"
    assert scene.serving.http.get(f"{URL}/gate/v1/health").json()["status"] == "gate_stopped"
    with kit.serve() as restarted:
        assert scene.refused(serving=restarted).code == "gate_stopped"
    with kit.sessions() as session:
        assert session.scalars(select(Operation.kind).where(Operation.kind == "evidence")).all() == ["evidence"]
    kit.settings.path("custodians", "TEST-SZXYY", "STOPPED").unlink()
    time.sleep(2 * LOOK_SECONDS)
    assert scene.read().elements == scene.stored.values


def test_two_gates_spend_the_same_last_use_once(scene: Scene, kit: GateKit) -> None:
    from concurrent.futures import ThreadPoolExecutor

    limited = scene.grant(uses=1)
    with kit.serve() as second, ThreadPoolExecutor(2) as pool:

        def attempt(serving: Serving) -> str:
            try:
                return "served" if scene.read(under=limited, serving=serving).elements else "empty"
            except GateRefused as refusal:
                return refusal.code

        results = sorted(pool.map(attempt, (scene.serving, second)))
    assert results[0] == "served"
    assert results[1] in ("use_not_won", "uses_exhausted")
    scene.serving.gate.log.check()


def test_receipts_that_the_ledger_has_and_the_store_has_not(scene: Scene, kit: GateKit, faulty: Faulty) -> None:
    scene.read()
    faulty.answers["Access", "receiptsOf"] = {"nextNumber": 500, "headHash": bytes(32)}
    with kit.serve() as restarted:
        assert scene.refused(serving=restarted).code == "gate_stopped"
        assert restarted.http.get(f"{URL}/gate/v1/health").status_code == 503
    faulty.answers["Access", "receiptsOf"] = {"nextNumber": 1, "headHash": crypto.sm3(b"another")}
    with pytest.raises(ReceiptsDamaged):
        scene.serving.gate.keeper.compare()


def _plain(kit: GateKit, row: EntryRow) -> bytes:
    from offchain.envelope import Sealed
    from offchain.stores.port import Location

    with kit.sessions() as session:
        key = session.get_one(RecordKey, (row.record, row.version))
    assert row.segment is not None
    assert row.offset is not None
    assert row.length is not None
    assert key.wrapped is not None
    blob = kit.store.read(Location(row.segment, row.offset, row.length))
    return kit.envelope.open(row.record, row.version, row.schema, Sealed(blob, key.wrapped, key.wrapped_by))
