"""Fabric's own command-line programs, run with an organisation's rights."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from network.binaries import built
from network.fabric.layout import Orderer, Organisation
from network.processes import NetworkError

TOOL_SECONDS = 120.0
# What the tools say while the orderers choose a leader or a node restarts; and what they say when the first try did arrive.
_PASSING = ("SERVICE_UNAVAILABLE", "timed out waiting", "connection refused", "deadline exceeded", "EOF", "redefine uncommitted")


def run(program: str, *arguments: str | Path, environment: dict[str, str] | None = None) -> str:
    """Run a program to its end; its output. Raises NetworkError with the end of what it said."""
    path = built(program)
    told = {"FABRIC_CFG_PATH": str(path.parent), "FABRIC_LOGGING_SPEC": "error", **(environment or {})}
    try:
        done = subprocess.run(
            [path, *arguments], env={**os.environ, **told}, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NetworkError(f"{program} {arguments[0]} took longer than {TOOL_SECONDS:.0f} s") from None
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-6:])
        raise NetworkError(f"{program} {' '.join(map(str, arguments[:3]))}: {said}")
    return done.stdout


def passing(error: NetworkError) -> bool:
    """Whether a step that failed so may succeed when it is tried again, after a look at what is already done."""
    return any(words in str(error) for words in _PASSING)


def as_admin(organisation: Organisation, *arguments: str | Path) -> str:
    """Run ``peer`` as the administrator of an organisation, against its own peer. Raises NetworkError."""
    tls = organisation.folder / "peer" / "tls"
    rights = {
        "CORE_PEER_LOCALMSPID": organisation.msp,
        "CORE_PEER_MSPCONFIGPATH": str(organisation.admin / "msp"),
        "CORE_PEER_ADDRESS": organisation.address,
        "CORE_PEER_TLS_ENABLED": "true",
        "CORE_PEER_TLS_ROOTCERT_FILE": str(tls / "ca.crt"),
        "CORE_PEER_CLIENT_CONNTIMEOUT": "15s",
    }
    return run("peer", *arguments, environment=rights)


def through(orderer: Orderer) -> list[str]:
    """Arguments of ``peer`` that name the orderer to send to."""
    return ["-o", orderer.address, "--tls", "--cafile", str(orderer.node / "tls" / "ca.crt")]


def endorsed_by(organisations: list[Organisation]) -> list[str]:
    """Arguments of ``peer`` that name the peers to ask."""
    pairs = ((o.address, str(o.folder / "peer" / "tls" / "ca.crt")) for o in organisations)
    return [part for address, root in pairs for part in ("--peerAddresses", address, "--tlsRootCertFiles", root)]
