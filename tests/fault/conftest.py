from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ledger import outbox
from gateway.ledger.db import open_sessions
from gateway.ledger.evm.open import Limits
from tests.fault.at_work import OLD_SECONDS, PATIENT_SECONDS, Sessions
from tests.support.validators import ValidatorChain
from tests.support.world import World, build_world


@pytest.fixture(scope="session")
def consortium() -> Iterator[World]:
    """An alliance on four validators that these tests may harm; each test leaves them whole. Its members are patient with a head
    that is old because a busy machine made it so; what must be refused is looked at by somebody who is not."""
    patient, strict = Limits(timeout=60.0, max_head_age=PATIENT_SECONDS), Limits(timeout=60.0, max_head_age=OLD_SECONDS)
    chain = ValidatorChain(limits=patient, strict=strict)
    try:
        made = build_world(chain)
        yield made
        made.close()
    finally:
        chain.close()


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    """A database of writes that were acknowledged."""
    made = open_sessions(f"sqlite:///{tmp_path / 'outbox.db'}", outbox.metadata)
    yield made
    made.kw["bind"].dispose()
