"""``decide`` in process over many consents, beside cedarpy (Cedar policies, Rust) asked the same kind of question."""

from __future__ import annotations

import json
import random
import secrets
import statistics
import time
from collections.abc import Callable
from typing import Any

import cedarpy

from core.decision import ConsentState, Credential, Opened, Request, State, decide, decide_opened, open_scope
from core.scope import Grantee, Scope

COMMAND = "python -m benches decision"
ASKED = 20_000
NOW = 1_800_000_000
PEER = "cedarpy: one policy, principal, action and resource with attributes; parses both at every question"
LABORATORY, TREAT, PHYSICIAN = 3, 0, 0


def rows(quick: bool) -> list[dict[str, Any]]:
    """Median microseconds a decision at growing numbers of consents; peers alternate, median of the rounds."""
    sizes = (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000)
    found = []
    for size in sizes:
        consents = _consents(size)
        asked = random.Random(7).sample(range(size), min(ASKED, size))
        pairs = [(_opened(consents, asked), _cedar(2_000)) for _ in range(1 if quick else 5)]
        found.append(_row(f"D decide in process, {size:,} consents held", pairs))
    few = _consents(1_000)
    pairs = [(_whole(few, range(1_000)), _cedar(2_000)) for _ in range(1 if quick else 5)]
    return [*found, _row("D decide in process, scope hashed and parsed at every question", pairs)]


Held = tuple[State, Request, Opened, bytes, bytes]


def _consents(count: int) -> list[Held]:
    doctor, hospital, schema = (secrets.token_bytes(32) for _ in range(3))
    credential = Credential(hospital, 1, NOW - 1000, NOW + 1000, 1)
    return [_consent(doctor, hospital, schema, credential) for _ in range(count)]


def _consent(doctor: bytes, hospital: bytes, schema: bytes, credential: Credential) -> Held:
    subject, salt = secrets.token_bytes(32), secrets.token_bytes(32)
    scope = Scope(
        subject, Grantee("practitioner", doctor), frozenset({TREAT}), NOW - 100, NOW + 100,
        categories=frozenset({LABORATORY}), fields={schema: 0b1111},
    )  # fmt: skip
    words = scope.words()
    opened = open_scope(words, salt)
    state = ConsentState(subject, opened.commitment or b"", NOW - 100, NOW + 100, 0, 0, 1)
    request = Request(subject, doctor, hospital, PHYSICIAN, TREAT, LABORATORY, hospital, subject, schema, 0b111)
    return State(state, 1, 1, credential), request, opened, words, salt


def _opened(consents: list[Held], asked: list[int]) -> float:
    def ask(i: int) -> object:
        state, request, opened, _, _ = consents[i]
        return decide_opened(state, request, opened, NOW)

    return _median_us(ask, asked)


def _whole(consents: list[Held], asked: range) -> float:
    def ask(i: int) -> object:
        state, request, _, words, salt = consents[i]
        return decide(state, request, words, salt, NOW)

    return _median_us(ask, asked)


def _cedar(count: int) -> float:
    policy = 'permit(principal, action == Action::"read", resource) when { context.now < resource.until };'
    entities = json.dumps([
        {"uid": {"__entity": {"type": "Record", "id": "r"}}, "attrs": {"until": NOW + 100}, "parents": []},
        {"uid": {"__entity": {"type": "Doctor", "id": "d"}}, "attrs": {}, "parents": []},
    ])  # fmt: skip
    question = {"principal": 'Doctor::"d"', "action": 'Action::"read"', "resource": 'Record::"r"', "context": {"now": NOW}}
    if not cedarpy.is_authorized(question, policy, entities).allowed:
        raise AssertionError("the peer must permit, or it is not the same question")
    return _median_us(lambda _: cedarpy.is_authorized(question, policy, entities), range(count))


def _median_us(ask: Callable[[int], object], asked: list[int] | range) -> float:
    taken = []
    for i in asked:
        began = time.perf_counter_ns()
        ask(i)
        taken.append(time.perf_counter_ns() - began)
    return statistics.median(taken) / 1000


def _row(id: str, pairs: list[tuple[float, float]]) -> dict[str, Any]:
    ours, peer = (statistics.median(p[i] for p in pairs) for i in (0, 1))
    return {
        "id": id,
        "figure": ours,
        "unit": "µs p50",
        "peer": PEER,
        "peer_figure": peer,
        "ratio": ours / peer,
        "command": COMMAND,
    }
