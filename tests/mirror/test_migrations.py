"""Tables made by an earlier program are brought to this one's, with their rows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from mirror.database import Database
from mirror.models import SCHEMA_VERSION, metadata
from tests.mirror.support import dump, follower, told


def indexes(database: Database) -> set[str]:
    with database.read() as connection:
        inspector = sa.inspect(connection)
        return {str(i["name"]) for table in metadata.tables for i in inspector.get_indexes(table)}


def test_indexes_are_added_to_tables_that_are_there(database_url: str) -> None:
    live = follower(told(1, 10), database_url)
    live.catch_up()
    whole, rows = indexes(live.database), dump(live.database)
    with live.database.write() as connection:
        for name in ("ix_event_contract", "ix_access_request_organisation"):
            assert name in whole
            connection.exec_driver_sql(f"DROP INDEX {name}")
        connection.execute(sa.update(SCHEMA_VERSION).values(version=1))
    # Several processes start at once after an upgrade.
    others = [Database(database_url) for _ in range(4)]
    with ThreadPoolExecutor(len(others)) as starting:
        list(starting.map(Database.prepare, others))
    for other in others:
        other.close()
    assert indexes(live.database) == whole
    assert dump(live.database) == rows
