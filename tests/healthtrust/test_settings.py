"""Settings: where values come from, what production refuses, and that the reference page is true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer import BadParameter

from gateway.keyring import load_or_create
from gateway.settings import GateSettings, Settings
from healthtrust import cli, settings_page

REPOSITORY = Path(__file__).parents[2]


def test_the_reference_page_is_what_the_code_says() -> None:
    assert (REPOSITORY / "docs/settings.md").read_text("utf-8") == settings_page.markdown(), "run `make docs`"


def test_environment_beats_file_beats_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.toml").write_text('alliance = "file"\n[gateway]\nport = 1234\n')
    monkeypatch.setenv("HEALTHTRUST_ALLIANCE", "environment")
    settings = Settings(home=tmp_path)
    assert settings.alliance == "environment"
    assert settings.gateway.port == 1234
    assert settings.gateway.public_url == "http://127.0.0.1:1234"


def test_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("allience = 'typo'\n")
    with pytest.raises(ValidationError, match="allience"):
        Settings(home=tmp_path)


def test_a_crypto_engine_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no crypto engine 'hsm9'"):
        Settings(home=tmp_path, crypto_engine="hsm9")


def test_production_refuses_doubles(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="refuses in-memory doubles"):
        Settings(home=tmp_path, production=True, gates=[GateSettings(code="A", name="A", store="memory")])


def own(**changes: Any) -> dict[str, Any]:
    """Settings of a member in production."""
    gate = GateSettings(code="A", name="A", public_url="https://a.example")
    return {
        "production": True,
        "profile": "consortium",
        "gates": [gate],
        "gateway": {"public_url": "https://g.example"},
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"profile": "embedded"}, "one party can rewrite"),
        ({"gates": [GateSettings(code="TEST-SZXYY", name="A", public_url="https://a.example")]}, "sample custodians"),
        ({"gates": [GateSettings(code="A", name="A", public_url="http://a.example")]}, "refuses http"),
        ({"gateway": {}}, "refuses http"),
    ],
)
def test_production_refuses_what_is_for_trials(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    assert Settings(home=tmp_path, **own()).production
    with pytest.raises(ValidationError, match=why):
        Settings(home=tmp_path, **own(**changes))


def test_the_demo_is_not_for_production(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its keys lie under a passphrase that everybody can read in the source."""
    monkeypatch.setattr(cli, "load", lambda: Settings(home=tmp_path, **own()))
    with pytest.raises(BadParameter, match="printed passphrase"):
        cli.demo()


def test_port_base_moves_every_port_and_address(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, port_base=9000)
    assert settings.gateway.public_url == "http://127.0.0.1:9000"
    assert settings.ledger.url == "http://127.0.0.1:9001"
    assert [g.public_url for g in settings.gates] == ["http://127.0.0.1:9002", "http://127.0.0.1:9003"]


def test_a_keyring_is_private_stable_and_silent(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    ring = load_or_create(path, "registrar")
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_create(path, "registrar") == ring
    assert ring.sm2 not in repr(ring)
    path.chmod(0o644)
    with pytest.raises(PermissionError, match="others can read"):
        load_or_create(path, "registrar")


def test_one_setting_puts_every_database_beside_another(tmp_path: Path) -> None:
    server = "postgresql+psycopg://me:s%40cret@db:5433/health?sslmode=require"
    own = Settings(home=tmp_path, database=server)
    assert own.gateway_database() == "postgresql+psycopg://me:s%40cret@db:5433/health_gateway?sslmode=require"
    assert own.custodian_database("TEST-SZXYY").endswith("/health_TEST-SZXYY?sslmode=require")
    named = [own.mirror_database(), own.registrar_database(), own.custodian_database("TEST-QWSJPT")]
    assert len({own.gateway_database(), *named}) == 4
    own.mirror.database = "postgresql+psycopg://elsewhere/mirror"
    assert own.mirror_database() == "postgresql+psycopg://elsewhere/mirror"
    assert Settings(home=tmp_path).registrar_database() == f"sqlite:///{tmp_path}/registrar/registrar.db"
