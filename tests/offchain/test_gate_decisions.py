"""Decisions asked of the gate without reading: for the signer alone, at the head, the same as the contract's, leaving nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import crypto
from core.artefact import ConsentArtefact
from core.decision import Outcome, Reason
from core.hexes import to_hex
from core.httpsig import sign_request
from core.vocabulary import CATEGORIES, PURPOSES, ROLES
from gateway.ledger.port import Block, Call, Ledger
from gateway.ledger.reasons import LedgerError
from gateway.ledger.reasons import Reason as Failure
from offchain.client import Ask, Decided, GateClient, GateRefused, OpenedConsent, practitioner, resident
from offchain.gate.app import Options
from tests.core.shared import raw, vectors
from tests.offchain.gate_kit import LABORATORY, URL, GateKit, Serving
from tests.offchain.gate_scene import PATIENT, Faulty, Scene
from tests.support.chains import DoubleChain
from tests.support.world import World, build_world

DECISIONS = f"{URL}/gate/v1/decisions"
WHOLE = (1 << LABORATORY.element_count) - 1


@pytest.fixture(scope="module", params=["memory", pytest.param("evm", marks=pytest.mark.node)])
def kit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateKit]:
    world: World = build_world(DoubleChain() if request.param == "memory" else request.getfixturevalue("evm_chain"))
    yield GateKit(world, tmp_path_factory.mktemp("gate"), ledger={"max_head_age_seconds": 600}, **PATIENT)
    world.close()


@pytest.fixture(scope="module")
def serving(kit: GateKit) -> Iterator[Serving]:
    with kit.serve() as running:
        yield running


@pytest.fixture
def scene(kit: GateKit, serving: Serving) -> Scene:
    return Scene(kit, serving)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[Scene, Faulty]]:
    """A gate of its own whose ledger can be told to fail."""
    kit = GateKit(build_world(DoubleChain()), tmp_path, **PATIENT)
    faulty = Faulty(kit.organisation.ledger)
    kit.organisation.ledger = faulty  # type: ignore[assignment]
    with kit.serve() as serving:
        yield Scene(kit, serving), faulty


def opened(consent: ConsentArtefact) -> OpenedConsent:
    return OpenedConsent(consent.consent, consent.scope.words(), consent.salt)


def ask_of(scene: Scene, **changes: Any) -> Ask:
    s = scene.stored
    return replace(Ask(s.subject, s.record, s.schema, s.category, scene.consent.consent), **changes)


def decide(scene: Scene, *asks: Ask, shown: Sequence[ConsentArtefact] | None = None) -> Sequence[Decided]:
    """The doctor asks."""
    consents = [scene.consent] if shown is None else shown
    return scene.serving.as_doctor(scene.doctor).decide(asks or [ask_of(scene)], [opened(c) for c in consents])


def reasons(decided: Sequence[Decided]) -> list[str]:
    return [d.reason for d in decided]


def test_what_is_granted_and_which_fields(scene: Scene) -> None:
    narrow = scene.grant(fields={LABORATORY.id: 0b111})
    asks = [
        ask_of(scene),
        ask_of(scene, consent=narrow.consent),
        ask_of(scene, consent=narrow.consent, fields=[2, 5]),
        ask_of(scene, consent=narrow.consent, fields=0b110000),
        ask_of(scene, purpose="HRESCH"),
        ask_of(scene, consent=None),
    ]
    assert decide(scene, *asks, shown=[scene.consent, narrow]) == [
        Decided("permit", "ok", WHOLE),
        Decided("permit", "ok", 0b111),
        Decided("permit", "ok", 0b10),
        Decided("deny", "fields_not_granted", 0),
        Decided("deny", "purpose_not_granted", 0),
        Decided("no-consent", "no_consent", 0),
    ]


def test_revoked_and_amended_hold_from_their_block_on(scene: Scene) -> None:
    assert reasons(decide(scene)) == ["ok"]
    successor = scene.world.amend(scene.resident, scene.consent, scene.world.scope(scene.resident, scene.doctor))
    assert reasons(decide(scene)) == ["amended"]
    later = ask_of(scene, consent=successor.consent)
    assert reasons(decide(scene, later, shown=[successor])) == ["ok"]
    scene.world.revoke(scene.resident, successor.consent)
    assert reasons(decide(scene, later, shown=[successor])) == ["revoked"]
    scene.world.send((scene.doctor.organisation, scene.world.dismissal(scene.doctor)))
    assert reasons(decide(scene, later, shown=[successor])) == ["credential_invalid"]


def test_only_the_signer_is_decided_on(scene: Scene) -> None:
    other = scene.world.practitioner(scene.world.platform)
    asked = [ask_of(scene)]
    shown = [opened(scene.consent)]
    assert reasons(scene.serving.as_doctor(other).decide(asked, shown)) == ["grantee_mismatch"]
    borrowed = scene.serving.by(practitioner(scene.doctor.id, other.keys.private))
    with pytest.raises(GateRefused, match="signature_invalid"):
        borrowed.decide(asked, shown)
    named = {"consents": [], "asks": [{**asked[0].document(), "requester": to_hex(scene.doctor.id)}]}
    assert post(scene, named).status_code == 400


def test_residents_ask_about_themselves_and_nobody_passes_for_them(scene: Scene) -> None:
    own = ask_of(scene, consent=None, purpose="PATRQT", role="resident")
    assert scene.serving.as_resident(scene.resident).decide([own]) == [Decided("permit", "self", WHOLE)]
    assert reasons(scene.serving.as_resident(scene.world.resident()).decide([own])) == ["request_malformed"]
    called_alike = replace(own, subject=scene.doctor.id)
    assert reasons(decide(scene, called_alike)) == ["request_malformed"]


def test_that_a_record_exists_is_in_no_answer(scene: Scene) -> None:
    nowhere = ask_of(scene, record=crypto.sm3(b"nowhere"))
    held, missing = decide(scene, ask_of(scene), nowhere)
    assert held == missing
    elsewhere = replace(nowhere, category="mental-health")
    assert reasons(decide(scene, replace(elsewhere, consent=None), replace(ask_of(scene), consent=None))) == ["no_consent"] * 2


def test_another_scope_than_the_one_signed_opens_nothing(scene: Scene) -> None:
    wider = replace(opened(scene.consent), words=scene.world.scope(scene.resident, scene.doctor, purposes={"HRESCH"}).words())
    client = scene.serving.as_doctor(scene.doctor)
    assert reasons(client.decide([ask_of(scene)], [wider])) == ["commitment_mismatch"]
    assert reasons(client.decide([ask_of(scene)], [])) == ["commitment_mismatch"]


def test_no_receipt_and_no_trace_of_what_was_shown(scene: Scene) -> None:
    before = len(scene.serving.receipts())
    decide(scene, ask_of(scene), ask_of(scene, purpose="HRESCH"))
    assert len(scene.serving.receipts()) == before
    shown = opened(scene.consent)
    secret = [s for b in (shown.words, shown.salt) for s in (b, b.hex().encode())]
    for file in (f for f in scene.kit.home.rglob("*") if f.is_file()):
        assert not any(s in file.read_bytes() for s in secret), file


def test_a_signed_request_works_once_even_over_a_restart(alone: tuple[Scene, Faulty]) -> None:
    scene, _ = alone
    body, headers = signed(scene, {"consents": [], "asks": [ask_of(scene).document()]})
    assert scene.serving.http.post(DECISIONS, content=body, headers=headers).status_code == 200
    assert scene.serving.http.post(DECISIONS, content=body, headers=headers).json()["code"] == "request_replayed"
    with scene.kit.serve() as restarted:
        assert restarted.http.post(DECISIONS, content=body, headers=headers).json()["code"] == "request_replayed"


def test_without_a_ledger_that_can_be_relied_on_there_is_no_answer(alone: tuple[Scene, Faulty]) -> None:
    scene, faulty = alone
    assert reasons(decide(scene)) == ["ok"]
    for failure, code in ((Failure.UNREACHABLE, "ledger_unavailable"), (Failure.RESET, "ledger_behind")):
        faulty.error = LedgerError(failure)
        with pytest.raises(GateRefused, match=code) as refusal:
            decide(scene)
        assert refusal.value.http_status == 503


def test_a_difference_to_the_contract_stops_the_gate(alone: tuple[Scene, Faulty]) -> None:
    scene, faulty = alone
    faulty.answers["Consent", "decide"] = {"outcome": 2, "reason": 8, "fields": 0}
    for _ in range(2):
        with pytest.raises(GateRefused, match="gate_stopped"):
            decide(scene)
        faulty.answers.clear()
    assert scene.refused().code == "gate_stopped"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("asks"),
        lambda d: d.update(asks=[]),
        lambda d: d.update(asks=d["asks"] * 201),
        lambda d: d["asks"][0].update(subject="0x12"),
        lambda d: d["asks"][0].update(fields=[0]),
        lambda d: d["asks"][0].update(purpose=7),
        lambda d: d["asks"][0].update(schema=to_hex(crypto.sm3(b"unknown")), fields="all"),
        lambda d: d["asks"].append("no ask"),
        lambda d: d["consents"].append(None),
        lambda d: d["consents"].append({"consent": "0x", "words": "0x", "salt": "0x"}),
        lambda d: d["consents"].append({"consent": to_hex(bytes(32)), "words": 3, "salt": to_hex(bytes(32))}),
    ],
)
def test_a_body_of_another_form_is_refused(scene: Scene, spoil: Any) -> None:
    document: dict[str, Any] = {"consents": [], "asks": [ask_of(scene).document()]}
    spoil(document)
    answer = post(scene, document)
    assert (answer.status_code, answer.json()["code"]) == (400, "request_malformed")


SOME = st.frozensets(st.integers(1, LABORATORY.element_count), min_size=1)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    granted=SOME, asked=SOME, purpose=st.sampled_from(("TREAT", "HRESCH")), category=st.sampled_from(("laboratory", "allergy"))
)
def test_answers_are_the_contracts(
    scene: Scene, granted: frozenset[int], asked: frozenset[int], purpose: str, category: str
) -> None:
    consent = scene.grant(fields={LABORATORY.id: mask(granted)}, categories={"laboratory"})
    one = ask_of(scene, consent=consent.consent, fields=sorted(asked), purpose=purpose, category=category)
    (ours,) = decide(scene, one, shown=[consent])
    request = scene.world.request(
        scene.resident, scene.doctor, scene.world.hospital, record=one.record, schema=one.schema, fields=mask(asked),
        purpose=PURPOSES.by_code(purpose).n, category=CATEGORIES.by_code(category).n,
    )  # fmt: skip
    theirs = scene.world.decide(request, consent)
    assert (ours.outcome, ours.reason, ours.fields) == (
        Outcome(theirs["outcome"]).text,
        Reason(theirs["reason"]).text,
        theirs["fields"],
    )


def test_every_shared_vector_that_can_be_asked_is_answered_as_written(tmp_path: Path) -> None:
    told = Told(build_world(DoubleChain()))
    rows = [r for r in vectors("decision")["rows"] if askable(r["request"], r["time"])]
    assert len(rows) >= 500
    kit = GateKit(told.world, tmp_path, policy={"contract_check_share": 0.0, "receipt_delay_seconds": 60})
    kit.organisation.ledger = told  # type: ignore[assignment]
    with kit.serve(Options(clock=lambda: told.row["time"])) as serving:
        for row in rows:
            told.tell(row)
            serving.gate.decider = replace(serving.gate.decider, store=raw(row["request"]["custodian"]))
            (got,) = told.client(serving).decide([told.ask()], [OpenedConsent(told.consent, raw(row["words"]), raw(row["salt"]))])
            want = row["expected"]
            said = (Outcome(want["outcome"]).text, Reason(want["reason"]).text, int(want["fields"], 16))
            assert (got.outcome, got.reason, got.fields) == said, row["name"]


def askable(q: dict[str, Any], time: int) -> bool:
    """Whether a row can be asked over REST: codes say what a number outside the vocabulary cannot, a caller is a resident
    exactly where no organisation is named and requester and subject are one, and signatures know times of 15 digits."""
    known = q["purpose"] < len(PURPOSES) and q["category"] < len(CATEGORIES) and q["role"] < len(ROLES)
    return known and 300 < time < 10**14 and (q["requester"] != q["subject"] or not raw(q["organisation"]).strip(b"\0"))


class Told:
    """A ledger whose head, keys and consents are those of one row of the vectors."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._ledger: Ledger = world.hospital.ledger
        self._keys = crypto.sm2_generate()
        self.row: dict[str, Any] = vectors("decision")["rows"][0]
        self._number = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def tell(self, row: dict[str, Any]) -> None:
        self.row, self._number = row, self._number + 1

    @property
    def consent(self) -> bytes:
        return crypto.sm3(b"consent")

    def client(self, serving: Serving) -> GateClient:
        q = self.row["request"]
        signer = practitioner if raw(q["organisation"]).strip(b"\0") or q["requester"] != q["subject"] else resident
        return serving.by(signer(raw(q["requester"]), self._keys.private))

    def ask(self) -> Ask:
        q = self.row["request"]
        codes = CATEGORIES.by_number(q["category"]).code, self.consent, PURPOSES.by_number(q["purpose"]).code
        return Ask(
            raw(q["subject"]), raw(q["record"]), raw(q["schema"]), *codes, ROLES.by_number(q["role"]).code, int(q["fields"], 16)
        )

    def head(self) -> Block:
        return replace(self._ledger.head(), hash=crypto.sm3(b"%d" % self._number), time=self.row["time"])

    def read(self, call: Call, at: int | bytes | None = None) -> Any:
        if call.method != "statesOf":
            return self._ledger.read(call)
        state = self.row["state"]
        consent = {**state["consent"], **{n: raw(state["consent"][n]) for n in ("subject", "commitment")}}
        credential = {**state["credential"], "organisation": raw(state["credential"]["organisation"])}
        words = {"consent": consent, "requesterOrganisation": state["organisation"], "custodian": state["custodian"]}
        return [{**words, "credential": credential} for _ in call.args["queries"]]

    def read_many(self, calls: Sequence[Call], at: int | bytes | None = None) -> list[Any]:
        public, organisation = self._keys.public, raw(self.row["request"]["organisation"])
        return [{"x": public[:32], "y": public[32:], "status": 1, "organisation": organisation} for _ in calls]


def mask(elements: frozenset[int]) -> int:
    return sum(1 << (n - 1) for n in elements)


def signed(scene: Scene, document: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    body = orjson.dumps(document)
    keyid = f"practitioner:{to_hex(scene.doctor.id)}"
    return body, sign_request(scene.doctor.keys.private, keyid, "POST", DECISIONS, body)


def post(scene: Scene, document: dict[str, Any]) -> httpx.Response:
    body, headers = signed(scene, document)
    return scene.serving.http.post(DECISIONS, content=body, headers=headers)
