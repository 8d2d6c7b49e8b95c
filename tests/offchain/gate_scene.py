"""One resident, one anchored record, one doctor with a consent for it, one gate: what most gate tests start from."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from core.artefact import ConsentArtefact
from gateway.ledger.port import Block, Call, Ledger
from gateway.ledger.reasons import LedgerError
from offchain.client import GateRefused, Reading
from tests.offchain.gate_kit import GateKit, Serving, Stored
from tests.support.world import Practitioner, Resident

T = TypeVar("T")
PATIENT = {"policy": {"contract_check_share": 1.0, "receipt_delay_seconds": 0.1}}


class Scene:
    """See the module."""

    def __init__(self, kit: GateKit, serving: Serving, **scope: Any) -> None:
        self.kit, self.serving, self.world = kit, serving, kit.world
        self.resident: Resident = kit.world.resident()
        self.doctor: Practitioner = kit.world.practitioner(kit.world.platform)
        self.stored: Stored = kit.put(self.resident)
        kit.anchor()
        self.consent: ConsentArtefact = self.grant(**scope)

    def grant(self, **scope: Any) -> ConsentArtefact:
        return self.world.grant(self.resident, self.world.scope(self.resident, self.doctor, **scope))

    def read(self, stored: Stored | None = None, **changes: Any) -> Reading:
        """The doctor reads the record under the consent, unless told otherwise."""
        s = stored or self.stored
        serving = changes.pop("serving", self.serving)
        doctor = changes.pop("doctor", self.doctor)
        consent: ConsentArtefact | None = changes.pop("under", self.consent)
        asked: dict[str, Any] = {"subject": s.subject, "record": s.record, "schema": s.schema, "category": s.category}
        if consent is not None:
            asked |= {"consent": consent.consent, "artefact": self.kit.sealed(consent)}
        return serving.as_doctor(doctor).read(**{**asked, **changes})

    def refused(self, stored: Stored | None = None, **changes: Any) -> GateRefused:
        with pytest.raises(GateRefused) as refusal:
            self.read(stored, **changes)
        return refusal.value

    def last_receipt(self) -> dict[str, Any]:
        return self.serving.receipts()[-1]


class Faulty:
    """A ledger that can be told to fail, to age, or to answer otherwise."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.error: LedgerError | None = None
        self.answers: dict[tuple[str, str], Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def head(self) -> Block:
        self._fail()
        return self._ledger.head()

    def read(self, call: Call, at: int | bytes | None = None) -> Any:
        self._fail()
        return self.answers.get((call.contract, call.method)) or self._ledger.read(call, at)

    def read_many(self, calls: Any, at: int | bytes | None = None) -> list[Any]:
        self._fail()
        answers = self._ledger.read_many(calls, at)
        return [self.answers.get((c.contract, c.method)) or a for c, a in zip(calls, answers, strict=True)]

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


def patiently(ask: Callable[[], T], good: Callable[[T], bool], seconds: float = 120.0) -> T:
    """Ask until the answer is good."""
    deadline = time.monotonic() + seconds
    while not good(answer := ask()):
        assert time.monotonic() < deadline, answer
        time.sleep(0.2)
    return answer
