"""What a backup is made of: every byte of it is either as it was written, or refused."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Settings
from healthtrust.backup import seal
from healthtrust.backup.make import BackupRefused, backup
from healthtrust.backup.manifest import NAME
from healthtrust.backup.restore import RestoreRefused, restore
from healthtrust.backup.seal import SealBroken, derive, new_kdf, opened

PASSPHRASE = "a passphrase of a test"
KEY = bytes(range(16))


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passphrases are tried by the dozen here."""
    monkeypatch.setattr(seal, "COST", {"time": 1, "memory": 64, "lanes": 1})


def sealed(content: bytes, name: str = "a") -> bytes:
    into = io.BytesIO()
    seal.seal(io.BytesIO(content), into, KEY, name)
    return into.getvalue()


def unsealed(content: bytes, name: str = "a", key: bytes = KEY) -> bytes:
    return b"".join(opened(io.BytesIO(content), key, name))


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 128, 200])
def test_what_was_sealed_comes_back(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "PIECE", 64)
    content = bytes(n % 251 for n in range(size))
    assert unsealed(sealed(content)) == content


def test_every_changed_byte_every_cut_and_every_moved_piece_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "PIECE", 64)
    whole = sealed(bytes(160))
    for at in range(len(whole)):
        with pytest.raises(SealBroken):
            unsealed(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(SealBroken):
            unsealed(whole[:at])
    start, piece = len(seal.MAGIC), 4 + 64 + 16
    first, second = whole[start : start + piece], whole[start + piece : start + 2 * piece]
    for moved in (second + first, first + first, first):
        with pytest.raises(SealBroken):
            unsealed(seal.MAGIC + moved + whole[start + 2 * piece :])
    for other in ({"name": "b"}, {"key": bytes(16)}):
        with pytest.raises(SealBroken):
            unsealed(whole, **other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change", [{"name": "scrypt"}, {"time": 0}, {"memory": 1 << 30}, {"lanes": 99}, {"salt": "00"}, {"salt": None}, {"time": "x"}]
)
def test_a_passphrase_is_turned_into_a_key_in_one_way(change: dict[str, Any]) -> None:
    with pytest.raises(SealBroken):
        derive(PASSPHRASE, {**new_kdf(), **change})
    with pytest.raises(SealBroken, match="at least"):
        derive("short", new_kdf())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home without databases: a key, a segment, things that are made anew."""
    made = tmp_path / "home"
    contents = {
        "custodians/A/keys.json": "a secret",
        "custodians/A/records/00000001.seg": "sealed records",
        "contracts.json": '{"ledgerId": "0x01"}',
        "logs/gateway.log": "x",
        "network/evm/validator1/priv_validator_key.json": "x",
        "chain/state.json": "the embedded node's",
        "settings.toml": '[[gates]]\ncode = "A"\nname = "A"\n',
    }
    for name, content in contents.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(content)
    return made


def files(home: Path) -> dict[str, str]:
    return {p.relative_to(home).as_posix(): p.read_text() for p in home.rglob("*") if p.is_file()}


def test_a_home_comes_back_without_what_is_made_anew_and_without_nodes(home: Path, tmp_path: Path) -> None:
    made = backup(Settings(home=home), tmp_path / "copy", PASSPHRASE)
    assert made.ledger == "0x01"
    stored = b"".join(p.read_bytes() for p in (tmp_path / "copy").iterdir())
    assert b"a secret" not in stored
    assert b"sealed records" in stored
    restore(tmp_path / "new", tmp_path / "copy", PASSPHRASE)
    kept = files(home)
    for gone in ("logs/gateway.log", "network/evm/validator1/priv_validator_key.json"):
        del kept[gone]
    found = files(tmp_path / "new")
    assert set(json.loads(found.pop("restored.json"))) == {"time", "backup"}
    assert {n: c for n, c in found.items() if not n.endswith(".lock")} == {
        n: c for n, c in kept.items() if not n.endswith(".lock")
    }
    assert (tmp_path / "new" / "custodians" / "A" / "keys.json").stat().st_mode & 0o077 == 0


def test_a_changed_backup_restores_nothing(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    backup(Settings(home=home), copy, PASSPHRASE)
    for path in sorted(copy.iterdir()):
        good = path.read_bytes()
        for bad in (good[:-1], good[:-1] + bytes([good[-1] ^ 1])):
            path.write_bytes(bad)
            with pytest.raises(SealBroken):
                restore(tmp_path / "new", copy, PASSPHRASE)
        path.unlink()
        with pytest.raises(SealBroken):
            restore(tmp_path / "new", copy, PASSPHRASE)
        path.write_bytes(good)
    listed = json.loads((copy / NAME).read_text())
    listed["items"].pop()
    whole = (copy / NAME).read_bytes()
    (copy / NAME).write_text(json.dumps(listed))
    with pytest.raises(SealBroken, match="the list of files was changed"):
        restore(tmp_path / "new", copy, PASSPHRASE)
    (copy / NAME).write_bytes(whole)
    with pytest.raises(SealBroken, match="passphrase is another"):
        restore(tmp_path / "new", copy, PASSPHRASE + "x")
    assert not (tmp_path / "new").exists()


def test_nothing_is_written_over(home: Path, tmp_path: Path) -> None:
    settings = Settings(home=home)
    backup(settings, tmp_path / "copy", PASSPHRASE)
    with pytest.raises(BackupRefused, match="is not empty"):
        backup(settings, tmp_path / "copy", PASSPHRASE)
    with pytest.raises(BackupRefused, match="lies in the home"):
        backup(settings, home / "copy", PASSPHRASE)
    with pytest.raises(RestoreRefused, match="is not empty"):
        restore(home, tmp_path / "copy", PASSPHRASE)
