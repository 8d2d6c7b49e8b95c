"""Programs built from pinned Go modules, once: ``built("peer")`` is the path of a program that exists.

What may be built is in ``versions.toml``. A build is kept under ``.cache/bin/<kind>-<digest of all it is made from>``, so a
changed pin or source is another folder, and an unchanged one is never built again; after the first time neither a network nor
Go is needed. Two builders wait for each other, and a folder appears whole or not at all. ``HEALTHTRUST_BINARIES`` names a folder
of ready programs (an installed system) that is used instead.

``python -m network.binaries [name …]`` builds and says where; without names, everything.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import ForPeople
from network.processes import alone

ROOT = Path(__file__).resolve().parents[1]
BUILD_SECONDS = 3600.0
_LISTED = Path(__file__).with_name("versions.toml")
_SOURCES = ("*.go", "go.mod", "go.sum", "*.patch")


class BinaryError(ForPeople):
    """A program cannot be built; the message says why and what to do."""


@dataclass(frozen=True)
class Kind:
    """Programs that are built together from one Go module of ours (a table of ``versions.toml``)."""

    name: str
    folder: Path
    pins: dict[str, str]
    programs: dict[str, str]
    files: dict[str, str] = field(default_factory=dict)
    patches: dict[str, str] = field(default_factory=dict)
    ldflags: str = ""
    cgo: bool = False
    buildmode: str = ""

    def digest(self) -> str:
        """16 hex digits over everything the programs are made from: sources, pins, flags and this kind of machine."""
        parts = hashlib.sha256(repr((self.programs, self.files, self.patches, self.ldflags, self.cgo)).encode())
        parts.update(f"{self.buildmode}{platform.system()} {platform.machine()}".encode())
        for path in self._sources():
            parts.update(f"\0{path.relative_to(self.folder)}\0".encode() + path.read_bytes())
        return parts.hexdigest()[:16]

    def _sources(self) -> list[Path]:
        found = (path for pattern in _SOURCES for path in self.folder.rglob(pattern))
        return sorted(path for path in found if not path.name.endswith("_test.go"))

    def go_needed(self) -> tuple[int, ...]:
        """The oldest Go that its go.mod accepts."""
        line = re.search(r"^go (\d+(?:\.\d+)*)", (self.folder / "go.mod").read_text(), re.M)
        return _numbers(line.group(1)) if line else (1,)


def kinds() -> dict[str, Kind]:
    """Every kind that ``versions.toml`` lists, by name."""
    listed = tomllib.loads(_LISTED.read_text("utf-8"))
    return {name: Kind(name, ROOT / table.pop("folder"), **table) for name, table in listed.items()}


def built(name: str) -> Path:
    """The path of a program (or of a file that belongs beside one), built if it is not there yet.

    Raises BinaryError in plain words: no Go, too old a Go, a pin that can no longer be had, no network, a source that does not
    compile.
    """
    ready = os.environ.get("HEALTHTRUST_BINARIES")
    if ready:
        return _ready(Path(ready) / name)
    for kind in kinds().values():
        if name in kind.programs or name in kind.files:
            return build(kind) / name
    raise BinaryError(f"{name} is not among the programs of {_LISTED.name}")


def build(kind: Kind) -> Path:
    """The folder that holds all programs of a kind; builds them if it is not there. Raises BinaryError."""
    place = ROOT / ".cache" / "bin" / f"{kind.name}-{kind.digest()}"
    if place.is_dir():
        return place
    if not kind.folder.is_dir():
        raise BinaryError(f"{kind.folder} is not in this installation: name a folder of ready programs in HEALTHTRUST_BINARIES")
    with alone(place.with_suffix(".lock")):
        if not place.is_dir():
            _make(kind, place)
    return place


def _ready(path: Path) -> Path:
    if not path.is_file():
        raise BinaryError(f"{path} is missing: HEALTHTRUST_BINARIES must name a folder that holds every program, or be unset")
    return path


def _make(kind: Kind, place: Path) -> None:
    """Build into a folder beside ``place``, then give it its name."""
    _require_go(kind)
    print(f"· building {', '.join(kind.programs)} (Go, once; minutes the first time)", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f"{place.name}.") as scratch:
        made = Path(scratch) / "whole"
        made.mkdir()
        with _changed(kind, place) as modules:
            for program, package in kind.programs.items():
                _go(kind, "build", *modules, *_flags(kind), "-o", str(made / program), package)
        for name, source in kind.files.items():
            module, _, inside = source.partition(" ")
            shutil.copyfile(Path(_go(kind, "list", "-m", "-f", "{{.Dir}}", module).strip()) / inside, made / name)
        made.rename(place)


def _flags(kind: Kind) -> list[str]:
    mode = [f"-buildmode={kind.buildmode}"] if kind.buildmode else []
    return [*mode, "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", f"-s -w {kind.ldflags}".strip()]


@contextmanager
def _changed(kind: Kind, place: Path) -> Iterator[list[str]]:
    """What tells go to use copies of the modules we change, with our changes made in them; nothing where we change none."""
    if not kind.patches:
        yield []
        return
    # Its name is written into the programs: no random part, so that the same sources give the same bytes.
    work = place.with_suffix(".changed")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        replaced = [_copy(kind, module, kind.folder / patch, work) for module, patch in kind.patches.items()]
        (work / "go.mod").write_text((kind.folder / "go.mod").read_text() + "\n".join(replaced) + "\n")
        shutil.copyfile(kind.folder / "go.sum", work / "go.sum")
        yield [f"-modfile={work / 'go.mod'}"]
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _copy(kind: Kind, module: str, patch: Path, work: Path) -> str:
    """Copy a module, change the copy, and say so in the words of go.mod. Raises BinaryError."""
    original = json.loads(_go(kind, "mod", "download", "-json", module))["Dir"]
    copy = work / patch.stem
    shutil.copytree(original, copy, copy_function=shutil.copyfile)
    for folder in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    try:
        # The ceiling keeps git from taking the copy for a part of the tree around it.
        environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(work)}
        command = ["git", "apply", "--whitespace=nowarn", str(patch.resolve())]
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=copy, env=environment)
    except FileNotFoundError:
        raise BinaryError(f"git is not installed, and {patch.name} must be applied to {module}: install git") from None
    except subprocess.CalledProcessError as error:
        raise BinaryError(f"{patch.name} does not fit {module}:\n{error.stderr.strip()}") from None
    return f"replace {module} => {os.path.relpath(copy, kind.folder)}"


def _require_go(kind: Kind) -> None:
    needed = ".".join(map(str, kind.go_needed()))
    try:
        said = subprocess.run(["go", "env", "GOVERSION"], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    except (OSError, subprocess.CalledProcessError):
        raise BinaryError(
            f"Go is not installed, and {', '.join(kind.programs)} must be built: install Go {needed} or newer "
            "(Debian: apt-get install golang), or name a folder of ready programs in HEALTHTRUST_BINARIES"
        ) from None
    fetches_newer = (
        subprocess.run(["go", "env", "GOTOOLCHAIN"], capture_output=True, text=True, cwd=ROOT).stdout.strip() != "local"
    )
    if _numbers(said) < kind.go_needed() and not (fetches_newer and _numbers(said) >= (1, 21)):
        raise BinaryError(f"{said.strip()} is too old: {', '.join(kind.programs)} need Go {needed} or newer")


def _go(kind: Kind, *arguments: str) -> str:
    """Run go in the kind's folder; its output. Raises BinaryError with what its errors mean."""
    environment = {**os.environ, "CGO_ENABLED": str(int(kind.cgo)), "GOWORK": "off"}
    try:
        done = subprocess.run(
            ["go", *arguments],
            cwd=kind.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BinaryError(f"building {kind.name} took longer than {BUILD_SECONDS / 60:.0f} minutes") from None
    if done.returncode:
        raise BinaryError(_meaning(kind, done.stderr))
    return done.stdout


def _meaning(kind: Kind, said: str) -> str:
    """What go's error output means for the person who builds."""
    end = "\n".join(said.strip().splitlines()[-12:])
    if re.search(r"(403 Forbidden|404 Not Found|410 Gone|unknown revision)", said):
        return f"a module that {kind.name} is pinned to can no longer be had; pin another version in {kind.folder}/go.mod:\n{end}"
    if re.search(r"(dial tcp|no such host|i/o timeout|connection refused|module lookup disabled|network is unreachable)", said):
        return f"the modules of {kind.name} are not on this machine yet, and there is no network to fetch them:\n{end}"
    if "checksum mismatch" in said or "SECURITY ERROR" in said:
        return f"a module of {kind.name} is not what go.sum says it is; do not use it:\n{end}"
    return f"{kind.name} does not build:\n{end}"


def _numbers(version: str) -> tuple[int, ...]:
    found = re.search(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found.group().split(".")) if found else (0,)


def main(names: list[str]) -> None:
    """Build what is named, or everything, and say where it is and what it is."""
    for name in names or [program for kind in kinds().values() for program in kind.programs]:
        path = built(name)
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BinaryError as error:
        sys.exit(f"✗ {error}")
