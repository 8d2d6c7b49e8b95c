"""How often one may ask a gate (offchain/gate/limits.py). Time stands still here, so that no bucket refills."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from offchain.client import Ask, GateRefused
from offchain.gate.app import Options
from tests.offchain.gate_kit import URL, GateKit
from tests.offchain.gate_scene import PATIENT, Scene
from tests.support.chains import DoubleChain
from tests.support.world import build_world

READ = f"{URL}/gate/v1/records/read"


@pytest.fixture
def kit(tmp_path: Path) -> GateKit:
    return GateKit(build_world(DoubleChain()), tmp_path, **PATIENT)


@pytest.fixture
def scene(kit: GateKit) -> Iterator[Scene]:
    with kit.serve(Options(ticks=lambda: 0.0)) as serving:
        yield Scene(kit, serving)


def test_a_signer_is_told_to_wait_and_leaves_no_receipt(scene: Scene) -> None:
    scene.kit.settings.policy.signer_requests_per_minute = 2
    scene.read()
    scene.read()
    written = len(scene.serving.receipts())
    refusal = scene.refused()
    assert (refusal.http_status, refusal.code, refusal.receipt) == (429, "too_many_requests", None)
    assert refusal.problem_document["text"] == {
        "zh": "请求过于频繁，请稍后再试。",
        "en": "Too many requests. Wait a moment and try again.",
    }
    assert len(scene.serving.receipts()) == written
    other = scene.world.practitioner(scene.world.platform)
    assert scene.refused(doctor=other).http_status == 403, "another signer has a share of their own"


def test_whether_a_record_exists_is_not_in_it(scene: Scene) -> None:
    scene.kit.settings.policy.signer_requests_per_minute = 1
    scene.read()
    nowhere = secrets.token_bytes(32)
    assert scene.refused().problem_document == scene.refused(record=nowhere).problem_document


def test_every_signed_route_counts(scene: Scene) -> None:
    scene.kit.settings.policy.signer_requests_per_minute = 1
    doctor, s = scene.serving.as_doctor(scene.doctor), scene.stored
    reading = scene.read()
    routes: list[Callable[[], object]] = [
        partial(doctor.list_own, s.subject),
        partial(doctor.complete, reading.bundle),
        partial(doctor.onsite, ["TREAT"], "all", 1),
        partial(doctor.decide, [Ask(s.subject, s.record, s.schema, s.category)]),
    ]
    for route in routes:
        with pytest.raises(GateRefused) as refusal:
            route()
        assert refusal.value.http_status == 429


def test_an_address_is_counted_before_its_signature_is_looked_at(scene: Scene) -> None:
    scene.kit.settings.policy.address_requests_per_minute = 3
    answers = [scene.serving.http.post(READ, content=b"no request", headers={"accept-language": "en"}) for _ in range(4)]
    assert [a.status_code for a in answers] == [400, 400, 400, 429]
    assert answers[3].headers["retry-after"] == "20"
    assert answers[3].headers["content-type"] == "application/problem+json"
    assert answers[3].json()["detail"] == "Too many requests. Wait a moment and try again."
    assert scene.serving.http.get(f"{URL}/gate/v1/health").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/gate/v1/nowhere", 404, "not_found"),
        ("GET", "/gate/v1/records/read", 405, "method_not_allowed"),
        ("POST", "/gate/v1/health", 405, "method_not_allowed"),
        ("POST", "/gate/v1/keys/", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
    ],
)
def test_where_no_route_is_the_answer_is_a_problem_too(scene: Scene, method: str, path: str, status: int, code: str) -> None:
    answer = scene.serving.http.request(method, URL + path, headers={"accept-language": "en"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.headers["cache-control"], answer.headers["content-language"]) == ("no-store", "en")
    assert ("allow" in answer.headers) == (status == 405)


def test_a_bad_signature_uses_up_nobodys_share(scene: Scene) -> None:
    scene.kit.settings.policy.signer_requests_per_minute = 1
    stranger = scene.world.practitioner(scene.world.platform)
    assert scene.refused(doctor=replace(scene.doctor, keys=stranger.keys)).http_status == 401
    scene.read()
