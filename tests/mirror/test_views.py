"""Read-only SQL: views with their documented columns, and roles that see what their organisation may."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from core.errors import Malformed
from mirror import views
from mirror.database import Database
from mirror.query import TABLES, Question, page
from mirror.sight import Sight
from tests.mirror.support import OPEN, follower
from tests.mirror.test_sight import ME, told_by_two

SERVICES = Path(__file__).parents[2] / "docs" / "services.md"
NAMES = (f"reader_{os.getpid()}_{n}" for n in itertools.count(1))


@pytest.fixture
def mirror(database_url: str) -> Database:
    live = follower(told_by_two(5, 40), database_url)
    live.catch_up()
    return live.database


@pytest.fixture
def on_postgres(postgres_url: str) -> Iterator[Database]:
    live = follower(told_by_two(5, 40), postgres_url)
    live.catch_up()
    yield live.database
    with live.database.write() as connection:
        for name in connection.scalars(sa.select(views.READER.c.name)).all():
            connection.execute(sa.text(f"DROP OWNED BY {name}"))
            connection.execute(sa.text(f"DROP ROLE {name}"))
        connection.execute(sa.text(f"DROP OWNED BY {views.READERS}"))
        connection.execute(sa.text(f"DROP ROLE {views.READERS}"))


def counted(view: str) -> sa.Select[tuple[int]]:
    return sa.select(sa.func.count()).select_from(sa.text(view))


def logged_in(database: Database, reader: views.Reader) -> sa.Engine:
    url = database.engine.url.set(username=reader.name, password=reader.password)
    return sa.create_engine(url, poolclass=sa.NullPool)


def test_a_view_shows_what_its_table_holds(mirror: Database) -> None:
    assert views.publish(mirror) == views.publish(mirror) == [f"v1_{name}" for name in TABLES]
    with mirror.read() as connection:
        for name, table in TABLES.items():
            rows = connection.execute(sa.select(sa.text("*")).select_from(sa.text(f"v1_{name}"))).mappings().all()
            held = page(mirror, Question(name, history=True), limit=1000).rows
            assert len(rows) == len(held) > 0, name
            columns = [c for c in rows[0] if c != "block_time"]
            assert sorted(map(str, ({c: r[c] for c in columns} for r in rows))) == sorted(
                map(str, ({c: r[c] for c in columns} for r in held))
            )
            if "height" in table.c and name != "block":
                assert all(r["block_time"] == 1_700_000_000 + r["height"] for r in rows)


def test_the_page_lists_the_views() -> None:
    assert views.describe() in SERVICES.read_text("utf-8")


@pytest.mark.postgres
def test_a_role_sees_its_organisation_and_an_auditor_all(on_postgres: Database) -> None:
    analyst = views.add_reader(on_postgres, next(NAMES), ME.id)
    auditor = views.add_reader(on_postgres, next(NAMES), None)
    for reader, sight in ((analyst, Sight(ME.id)), (auditor, Sight())):
        with logged_in(on_postgres, reader).connect() as connection:
            for name in TABLES:
                count = connection.scalar(counted(f"v1_{name}"))
                assert count == page(on_postgres, Question(name, history=True, sight=sight), total=True).total, name


@pytest.mark.postgres
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM consent",
        "INSERT INTO v1_block (height) VALUES (1)",
        "UPDATE mirror_reader SET organisation = NULL",
        "CREATE TABLE mine (n int)",
        "SELECT digest FROM cursor",
        "SELECT * FROM mention",
        "SET ROLE test",
        "ALTER TABLE consent DISABLE ROW LEVEL SECURITY",
    ],
)
def test_a_role_can_do_nothing_else(statement: str, on_postgres: Database) -> None:
    reader = views.add_reader(on_postgres, next(NAMES), ME.id)
    for prelude in ("SELECT 1", "SET default_transaction_read_only = off"):
        with logged_in(on_postgres, reader).connect() as connection:
            connection.execute(sa.text(prelude))
            connection.commit()
            with pytest.raises(DBAPIError):
                connection.execute(sa.text(statement))


@pytest.mark.postgres
def test_tables_behind_the_views_are_limited_too(on_postgres: Database) -> None:
    """The policy is the table's: whoever goes round the view sees no more rows. A sight that was taken away shows nothing."""
    name = next(NAMES)
    reader = views.add_reader(on_postgres, name, ME.id)
    with logged_in(on_postgres, reader).connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM batch WHERE organisation <> :me"), {"me": ME.id}) == 0
        assert connection.scalar(sa.text("SELECT count(*) FROM batch")) > 0
        assert connection.scalar(sa.text("SELECT count(*) FROM mirror_reader")) == 1
    with on_postgres.write() as connection:
        connection.execute(sa.update(views.READER).where(views.READER.c.name == name).values(name=f"{name}x"))
    with logged_in(on_postgres, reader).connect() as connection:
        assert [connection.scalar(counted(f"v1_{t}")) for t in TABLES] == [0] * len(TABLES)
    with on_postgres.write() as connection:
        connection.execute(sa.update(views.READER).values(name=name))


@pytest.mark.postgres
def test_the_follower_goes_on_under_the_policies(on_postgres: Database) -> None:
    before = page(on_postgres, Question("event"), total=True).total
    views.publish(on_postgres)
    longer = follower(told_by_two(5, 50), on_postgres.engine.url.render_as_string(hide_password=False))
    longer.catch_up()
    assert (page(on_postgres, Question("event"), total=True).total or 0) > (before or 0)


@pytest.mark.postgres
@pytest.mark.parametrize("name", ["x", "Reader", "a; DROP TABLE consent", "test", views.READERS, 'a"b"c', "postgres"])
def test_a_name_that_is_taken_or_no_name_is_refused(name: str, on_postgres: Database) -> None:
    views.publish(on_postgres)
    with pytest.raises(Malformed, match="role_malformed"):
        views.add_reader(on_postgres, name if name != "postgres" else "pg_monitor", ME.id)


def test_sqlite_has_no_roles(tmp_path: Path) -> None:
    OPEN.append(Database(f"sqlite:///{tmp_path / 'a.db'}"))
    with pytest.raises(Malformed, match="no_roles"):
        views.add_reader(OPEN[-1], "reader", None)
