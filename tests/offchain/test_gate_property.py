"""Whatever was granted and whatever is asked: what is served is within both, and every other element is withheld."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.verify import verify
from offchain.client import GateRefused
from tests.offchain.gate_kit import LABORATORY, GateKit
from tests.offchain.gate_scene import PATIENT, Scene
from tests.support.chains import DoubleChain
from tests.support.world import build_world

COUNT = LABORATORY.element_count
ELEMENTS = st.frozensets(st.integers(1, COUNT), min_size=1)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    kit = GateKit(build_world(DoubleChain()), tmp_path_factory.mktemp("gate"), ledger={"max_head_age_seconds": 600}, **PATIENT)
    with kit.serve() as serving:
        yield Scene(kit, serving)


def mask(elements: frozenset[int]) -> int:
    return sum(1 << (n - 1) for n in elements)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(granted=ELEMENTS, asked=ELEMENTS, other_schema=st.booleans())
def test_served_is_within_granted_and_asked(
    scene: Scene, granted: frozenset[int], asked: frozenset[int], other_schema: bool
) -> None:
    fields = {LABORATORY.id: mask(granted)} | ({bytes(31) + b"\1": 1} if other_schema else {})
    consent = scene.grant(fields=fields)
    if not granted & asked:
        assert scene.refused(under=consent, fields=sorted(asked)).code == "fields_not_granted"
        return
    reading = scene.read(under=consent, fields=sorted(asked))
    assert {int(n) for n in reading.elements} == granted & asked
    assert set(reading.withheld) == set(range(1, COUNT + 1)) - (granted & asked)
    assert verify(reading.bundle).exit_code == 3
    text = str(reading.bundle["record"])
    hidden = [scene.stored.values[str(n)] for n in reading.withheld]
    for value in itertools.chain(v for v in hidden if isinstance(v, str) and len(v) > 3):
        assert value not in text


def test_no_consent_serves_nothing_at_all(scene: Scene) -> None:
    with pytest.raises(GateRefused, match="no_consent"):
        scene.read(under=None)
