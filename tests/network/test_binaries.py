"""Programs from pinned Go modules: what is pinned is what is built, once, and every refusal says what to do."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from network import binaries
from network.binaries import BinaryError, Kind, build, built, kinds


@pytest.fixture
def kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """A kind with one program, in a tree of its own."""
    monkeypatch.setattr(binaries, "ROOT", tmp_path)
    monkeypatch.delenv("HEALTHTRUST_BINARIES", raising=False)
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "go.mod").write_text("module example\n\ngo 1.22\n")
    (folder / "main.go").write_text("package main\n")
    return Kind("example", folder, {}, {"tool": "."})


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the compiler on the search path: it builds what ``go.says`` tells, and counts."""
    path = tmp_path / "path" / "go"
    path.parent.mkdir()
    path.write_text(
        '#!/bin/sh\ncase "$*" in *GOVERSION) echo go1.24.0; exit;; *GOTOOLCHAIN) echo local; exit;; esac\n'
        'here=$(dirname "$0"); echo x >>"$here/built"\n'
        '[ -e "$here/says" ] && { cat "$here/says" >&2; exit 1; }\n'
        'while [ "$1" != -o ]; do shift; done; echo program >"$2"\n'
    )
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    return path


def test_the_listed_pins_are_those_of_the_modules() -> None:
    for kind in kinds().values():
        required = dict(re.findall(r"^(?:require)?\s+(\S+) (v\S+)", (kind.folder / "go.mod").read_text(), re.M))
        assert kind.pins
        assert {module: required.get(module) for module in kind.pins} == kind.pins


def test_every_program_has_one_kind() -> None:
    names = [name for kind in kinds().values() for name in (*kind.programs, *kind.files)]
    assert len(names) == len(set(names))
    assert {"peer", "orderer", "chaincode"} <= set(names)


def test_two_builders_build_once(kind: Kind, go: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(build, [kind, kind])
    assert first == second
    assert (first / "tool").read_text() == "program\n"
    assert (go.parent / "built").read_text() == "x\n"


def test_a_changed_source_is_another_build_and_a_changed_test_is_not(kind: Kind, go: Path) -> None:
    before = build(kind)
    (kind.folder / "main_test.go").write_text("package main\n")
    assert build(kind) == before
    (kind.folder / "main.go").write_text("package main // changed\n")
    assert build(kind) != before


@pytest.fixture
def changed(kind: Kind, go: Path, tmp_path: Path) -> Kind:
    """A kind that changes a line of a module; its program is the module's file as the compiler got it."""
    module = tmp_path / "module"
    module.mkdir()
    (module / "words").write_text("as it was\n")
    (module / "words").chmod(0o444)
    (kind.folder / "fix.patch").write_text("Why.\n\n--- a/words\n+++ b/words\n@@ -1 +1 @@\n-as it was\n+as we need it\n")
    (kind.folder / "go.sum").write_text("")
    go.write_text(
        '#!/bin/sh\ncase "$*" in *GOVERSION) echo go1.24.0; exit;; *GOTOOLCHAIN) echo local; exit;; '
        f'mod*) echo \'{{"Dir": "{module}"}}\'; exit;; esac\n'
        "for a; do case $a in -modfile=*) mod=${a#*=};; esac; done\n"
        'while [ "$1" != -o ]; do shift; done; cp "$(dirname "$mod")/fix/words" "$2"\n'
    )
    return replace(kind, patches={"example.org/module": "fix.patch"})


def test_a_module_is_changed_in_a_copy(changed: Kind, tmp_path: Path) -> None:
    assert (build(changed) / "tool").read_text() == "as we need it\n"
    assert (tmp_path / "module" / "words").read_text() == "as it was\n"
    assert not list((binaries.ROOT / ".cache" / "bin").glob("*.changed"))


def test_a_change_that_does_not_fit_is_refused(changed: Kind, tmp_path: Path) -> None:
    before = changed.digest()
    (changed.folder / "fix.patch").write_text("--- a/words\n+++ b/words\n@@ -1 +1 @@\n-something else\n+as we need it\n")
    assert changed.digest() != before
    with pytest.raises(BinaryError, match=r"fix\.patch does not fit example\.org/module"):
        build(changed)
    assert [p.suffix for p in (binaries.ROOT / ".cache" / "bin").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("reading https://…/fabric/@v/v1.zip: 404 Not Found", "can no longer be had"),
        ("reading https://…/fabric/@v/v1.zip: 403 Forbidden", "can no longer be had"),
        ("dial tcp: lookup proxy: no such host", "no network"),
        ("verifying m@v1: checksum mismatch", "do not use it"),
        ("main.go:3:1: syntax error", "does not build"),
    ],
)
def test_what_the_compiler_says_is_said_in_plain_words_and_nothing_is_left(kind: Kind, go: Path, said: str, meaning: str) -> None:
    (go.parent / "says").write_text(said)
    with pytest.raises(BinaryError, match=meaning):
        build(kind)
    assert [p.suffix for p in (binaries.ROOT / ".cache" / "bin").iterdir()] == [".lock"]


def test_without_go_it_says_what_to_install(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(BinaryError, match=r"install Go 1\.22 or newer"):
        build(kind)


def test_an_installation_without_sources_says_what_to_set(kind: Kind, tmp_path: Path) -> None:
    with pytest.raises(BinaryError, match="HEALTHTRUST_BINARIES"):
        build(replace(kind, folder=tmp_path / "nowhere"))


def test_an_old_go_is_refused(kind: Kind, go: Path) -> None:
    (kind.folder / "go.mod").write_text("module example\n\ngo 1.25\n")
    with pytest.raises(BinaryError, match=r"need Go 1\.25"):
        build(kind)


def test_a_folder_of_ready_programs_is_used_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTHTRUST_BINARIES", str(tmp_path))
    with pytest.raises(BinaryError, match="peer is missing"):
        built("peer")
    (tmp_path / "peer").write_text("")
    assert built("peer") == tmp_path / "peer"


def test_a_program_that_nobody_listed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEALTHTRUST_BINARIES", raising=False)
    with pytest.raises(BinaryError, match="not among the programs"):
        built("cryptogen")
