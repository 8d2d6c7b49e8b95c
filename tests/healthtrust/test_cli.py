"""The command line as a person meets it: exit codes and one sentence instead of a trace."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core import crypto

SHARED = Path(__file__).parents[1] / "shared"


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from healthtrust.cli import main; main()", "--home", str(home), "--port-base", "39000"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=240, check=False)


def test_status_of_nothing_says_how_to_start(tmp_path: Path) -> None:
    said = run(tmp_path, "status")
    assert said.returncode == 1
    assert "healthtrust up" in said.stdout
    assert json.loads(run(tmp_path, "status", "--json").stdout)["running"] is False


def test_status_says_which_crypto_engine_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(run(tmp_path, "status", "--json").stdout)["crypto"] == crypto.load("auto").name
    monkeypatch.setenv("HEALTHTRUST_CRYPTO_ENGINE", "openssl")
    assert json.loads(run(tmp_path, "status", "--json").stdout)["crypto"] == "openssl"


def test_down_of_nothing_is_no_error(tmp_path: Path) -> None:
    assert run(tmp_path, "down").returncode == 0


def test_import_takes_a_folder_or_a_command_of_its_own(tmp_path: Path) -> None:
    said = run(tmp_path, "import", "status")
    assert (said.returncode, said.stdout) == (0, "no custodian has an inbox (docs/settings.md, gates)\n")
    said = run(tmp_path, "import", "collect", "TEST-SZXYY")
    assert (said.returncode, "has no inbox" in said.stderr) == (1, True)
    said = run(tmp_path, "import", "TEST-SZXYY", str(tmp_path))
    assert (said.returncode, "the ledger has to be founded first" in said.stderr) == (1, True)


def test_a_missing_source_is_said_in_one_sentence(tmp_path: Path) -> None:
    said = run(tmp_path, "demo", "--once", "--data", str(tmp_path / "nowhere"))
    assert said.returncode == 1
    assert "Traceback" not in said.stderr
    assert "nowhere" in said.stderr


def test_verify_needs_no_platform(tmp_path: Path) -> None:
    (tmp_path / "torn.json").write_text('{"kind": ')
    said = run(tmp_path, "verify", str(tmp_path / "torn.json"), "--lang", "en")
    assert said.returncode == 2
    assert "Traceback" not in said.stderr


def test_a_wrong_passphrase_is_said_in_one_sentence(tmp_path: Path) -> None:
    said = run(
        tmp_path, "grant", "0x" + "00" * 32, "--key", str(tmp_path / "none.json"), "--passphrase", "x", "--category", "laboratory"
    )
    assert said.returncode == 1
    assert "none.json" in said.stderr
