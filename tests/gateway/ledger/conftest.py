from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session, sessionmaker

from gateway.ledger import outbox
from gateway.ledger.db import open_sessions
from tests.support.chains import DoubleChain
from tests.support.world import World, build_world

Sessions = sessionmaker[Session]


@pytest.fixture
def sessions(database_url: str) -> Iterator[Sessions]:
    made = open_sessions(database_url, outbox.metadata)
    yield made
    made.kw["bind"].dispose()


@pytest.fixture
def double() -> Iterator[World]:
    """A fresh alliance on the in-memory double."""
    made = build_world(DoubleChain())
    yield made
    made.close()
