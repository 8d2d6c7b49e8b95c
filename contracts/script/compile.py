"""Compile the contracts: ``python -m contracts.script.compile``.

py-solc-x drives the WebAssembly compiler of the npm package ``solc`` through a small executable (``solc.cjs``), because the
native compilers it would download are not pinned by our lock file. Writes ``contracts/artifacts/<Name>.json``; does nothing
when sources, settings and compiler are those of the last build.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"
ARTIFACTS = CONTRACTS / "artifacts"
NODE_MODULES = ROOT / "node_modules"
SOLC_CACHE = ROOT / ".cache" / "solc"
STAMP = ARTIFACTS / ".digest"
OUTPUTS = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.methodIdentifiers", "storageLayout"]
SETTINGS: dict[str, Any] = {
    "viaIR": True,
    "optimizer": {"enabled": True, "runs": 1000000},
    "evmVersion": "cancun",
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
    "outputSelection": {"*": {"*": OUTPUTS}},
}


# 6335: a name ("at" in OpenZeppelin, "leave" in our ledger's vocabulary) becomes a keyword in some future language version.
ACCEPTED_WARNINGS = {"6335"}


class BuildError(RuntimeError):
    """The contracts could not be compiled; the message says why."""


def build(force: bool = False) -> list[str]:
    """Compile what changed and return the names of all artifacts.

    Raises BuildError when the compiler is not installed or refuses a source; a warning is an error.
    """
    ARTIFACTS.mkdir(exist_ok=True)
    with (ARTIFACTS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs that start together compile once
        sources = _sources()
        digest = _digest(sources)
        if force or not STAMP.exists() or STAMP.read_text("ascii") != digest:
            _write(_compile(sources), digest)
    return sorted(p.stem for p in ARTIFACTS.glob("*.json"))


def _sources() -> dict[str, str]:
    files = [p for folder in ("src", "test") for p in sorted((CONTRACTS / folder).rglob("*.sol"))]
    return {p.relative_to(ROOT).as_posix(): p.read_text("utf-8") for p in files}


def _digest(sources: dict[str, str]) -> str:
    stated = json.dumps(
        [sources, SETTINGS, _package_version("solc"), _package_version("@openzeppelin/contracts")], sort_keys=True
    )
    return hashlib.sha256(stated.encode()).hexdigest()


def _package_version(package: str) -> str:
    manifest = NODE_MODULES / package / "package.json"
    if not manifest.exists():
        raise BuildError(f"the npm package {package} is not installed: run `npm install` in {ROOT}")
    return str(json.loads(manifest.read_text("utf-8"))["version"])


def _compile(sources: dict[str, str]) -> dict[str, Any]:
    os.environ["SOLCX_BINARY_PATH"] = str(_shim(version := _package_version("solc")).parent)
    import solcx  # reads SOLCX_BINARY_PATH when it is imported

    solcx.set_solc_version(version)
    # Relative to the root, where the shim runs: an absolute path would make the bytecode depend on the machine.
    remappings = ["@openzeppelin/=node_modules/@openzeppelin/"]
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": {**SETTINGS, "remappings": remappings},
    }
    try:
        answer: dict[str, Any] = solcx.compile_standard(request, allow_paths=str(ROOT))
    except solcx.exceptions.SolcError as error:
        raise BuildError(error.message) from error
    warnings = [e["formattedMessage"] for e in answer.get("errors", []) if e["errorCode"] not in ACCEPTED_WARNINGS]
    if warnings:
        raise BuildError("\n".join(warnings))
    return answer["contracts"]  # type: ignore[no-any-return]


def _shim(version: str) -> Path:
    """The executable py-solc-x looks for: ``solc-v<version>`` in the folder named by SOLCX_BINARY_PATH."""
    shim = SOLC_CACHE / f"solc-v{version}"
    script = f'#!/bin/sh\ncd "{ROOT}" && NODE_PATH="{NODE_MODULES}" exec node "{CONTRACTS}/script/solc.cjs" "$@"\n'
    if not shim.exists() or shim.read_text("utf-8") != script:
        SOLC_CACHE.mkdir(parents=True, exist_ok=True)
        shim.write_text(script, "utf-8")
        shim.chmod(0o755)
    return shim


def _write(compiled: dict[str, Any], digest: str) -> None:
    """Readers never see a half-written file; the stamp comes last, so that a build cut short is done again."""
    STAMP.unlink(missing_ok=True)
    ours = {name: c for file, cs in compiled.items() if file.startswith("contracts/") for name, c in cs.items()}
    for name, contract in ours.items():
        partial = ARTIFACTS / f".{name}.tmp"
        partial.write_text(json.dumps(_artifact(name, contract), indent=1, sort_keys=True) + "\n", "utf-8")
        partial.replace(ARTIFACTS / f"{name}.json")
    for old in ARTIFACTS.glob("*.json"):
        if old.stem not in ours:
            old.unlink()
    STAMP.write_text(digest, "ascii")


def _artifact(name: str, contract: dict[str, Any]) -> dict[str, Any]:
    evm = contract["evm"]
    return {
        "name": name,
        "abi": contract["abi"],
        "bytecode": "0x" + evm["bytecode"]["object"],
        "deployedBytecode": "0x" + evm["deployedBytecode"]["object"],
        "methodIdentifiers": evm["methodIdentifiers"],
        "storageLayout": contract["storageLayout"],
    }


if __name__ == "__main__":
    try:
        print(*build(force="--force" in sys.argv), sep="\n")
    except BuildError as error:
        sys.exit(str(error))
