"""The schema: one migration path, equal to the models, on SQLite and PostgreSQL; and the whole story on PostgreSQL too."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gateway import database
from gateway.ledger import outbox
from gateway.ledger.db import open_engine
from gateway.models import Base
from tests.gateway.house import build_house
from tests.scenarios import test_story as story
from tests.support.chains import DoubleChain


def test_migrations_lead_to_the_models(database_url: str) -> None:
    database.migrate(database_url)
    database.migrate(database_url)
    engine = open_engine(database_url)
    with engine.connect() as connection:
        for metadata in (Base.metadata, outbox.metadata):
            names = set(metadata.tables)
            context = MigrationContext.configure(
                connection, opts={"include_object": lambda o, name, kind, r, c, n=names: kind != "table" or name in n}
            )
            assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        for started in [pool.submit(database.migrate, database_url) for _ in range(4)]:
            started.result(60)


@pytest.mark.postgres
def test_the_story_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    chain = DoubleChain()
    house = build_house(chain, tmp_path / "home", database=postgres_url)
    story.test_the_story(house)
    house.close()
    chain.close()
