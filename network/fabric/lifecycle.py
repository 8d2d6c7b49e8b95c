"""The chaincode's life on the channel: a package for each member, approval by each, and a definition for each name.

A member's package holds the address and TLS of its own chaincode server, and with it its peer's client key: it is installed on
its own peer and goes nowhere else. Members therefore approve the same definition with different packages.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

from network.fabric.layout import Layout, Orderer, Organisation, write_whole
from network.fabric.tools import as_admin, endorsed_by, run, through
from network.processes import NetworkError

LABEL = "healthtrust"


@dataclass(frozen=True)
class Definition:
    """A chaincode as the channel knows it. ``version``: what is to run, the first digits of its program's hash; ``sequence``: 1,
    and one more with every change that a majority of members approved."""

    name: str
    version: str
    sequence: int


def write_package(organisation: Organisation) -> None:
    """Write a member's package, unless it is there."""
    if _package(organisation).exists():
        return
    peer = organisation.folder / "peer" / "tls"
    connection = {
        "address": organisation.chaincode_address,
        "dial_timeout": "10s",
        "tls_required": True,
        "client_auth_required": True,
        "client_key": (peer / "server.key").read_text(),
        "client_cert": (peer / "server.crt").read_text(),
        "root_cert": (peer / "ca.crt").read_text(),
    }
    code = _archive({"connection.json": json.dumps(connection).encode()})
    metadata = json.dumps({"type": "ccaas", "label": LABEL}).encode()
    write_whole(_package(organisation), _archive({"metadata.json": metadata, "code.tar.gz": code}))


def package_id(organisation: Organisation) -> str:
    """The id under which a member's peer knows its package."""
    return f"{LABEL}:{hashlib.sha256(_package(organisation).read_bytes()).hexdigest()}"


def answers(organisation: Organisation) -> bool:
    """Whether a member's peer has opened its ledger and answers."""
    try:
        as_admin(organisation, "channel", "list")
    except NetworkError:
        return False
    return True


def join(organisation: Organisation, channel: str, first_block: Path) -> None:
    """Let a member's peer join the channel, unless it has; it then fetches every block."""
    if channel not in as_admin(organisation, "channel", "list").split():
        as_admin(organisation, "channel", "join", "-b", first_block)


def install(organisation: Organisation) -> None:
    """Put a member's package on its peer, unless it is there."""
    said = json.loads(as_admin(organisation, "lifecycle", "chaincode", "queryinstalled", "--output", "json"))
    if package_id(organisation) not in {entry["package_id"] for entry in said.get("installed_chaincodes", [])}:
        as_admin(organisation, "lifecycle", "chaincode", "install", _package(organisation))


def version_of(program: Path) -> str:
    """What a definition says of a program."""
    return hashlib.sha256(program.read_bytes()).hexdigest()[:16]


def committed(layout: Layout, organisation: Organisation) -> dict[str, Definition]:
    """Definitions that the channel has, by name, as a member's peer knows them."""
    asked = ("lifecycle", "chaincode", "querycommitted", "-C", layout.channel, "--output", "json")
    said = json.loads(as_admin(organisation, *asked)).get("chaincode_definitions", [])
    return {d["name"]: Definition(d["name"], d["version"], int(d["sequence"])) for d in said}


def wanted(layout: Layout, organisation: Organisation, name: str, version: str) -> Definition:
    """The definition that makes a name run a version: the one the channel has, or its successor."""
    now = committed(layout, organisation).get(name, Definition(name, "", 0))
    return now if now.version == version else Definition(name, version, now.sequence + 1)


def approve(layout: Layout, member: Organisation, definition: Definition, orderer: Orderer) -> None:
    """Let a member approve a definition with its own package, unless it has."""
    noted = member.folder / "chaincode" / "approved" / f"{definition.name}.{definition.sequence}"
    if noted.exists():
        return
    if not _approved(layout, member, definition):
        package = ("--package-id", package_id(member))
        as_admin(member, "lifecycle", "chaincode", "approveformyorg", *_said(layout, definition), *package, *through(orderer))
    write_whole(noted, b"")


def commit(layout: Layout, members: list[Organisation], definition: Definition, orderer: Orderer) -> None:
    """Put an approved definition on the channel, unless it is there; ``members`` endorse that."""
    if committed(layout, members[0]).get(definition.name) != definition:
        asked = (*_said(layout, definition), *through(orderer), *endorsed_by(members))
        as_admin(members[0], "lifecycle", "chaincode", "commit", *asked)


def endorsers_found(layout: Layout, member: Organisation, name: str) -> bool:
    """Whether a member's peer knows whom to ask for endorsements of a name: only then its Gateway takes transactions."""
    identity, tls = member.admin / "msp", member.folder / "peer" / "tls"
    key, certificate = identity / "keystore" / "key.pem", identity / "signcerts" / "cert.pem"
    who = ("--MSP", member.msp, "--userKey", str(key), "--userCert", str(certificate), "--peerTLSCA", str(tls / "ca.crt"))
    asked = ("endorsers", "--channel", layout.channel, "--chaincode", name, "--server", member.address, *who)
    try:
        return '"Layouts"' in run("discover", *asked)
    except NetworkError:
        return False


def _approved(layout: Layout, member: Organisation, definition: Definition) -> bool:
    which = ("--name", definition.name, "--sequence", str(definition.sequence))
    try:
        as_admin(member, "lifecycle", "chaincode", "queryapproved", "-C", layout.channel, *which, "--output", "json")
    except NetworkError as error:
        if "could not fetch approved chaincode definition" in str(error):
            return False
        raise
    return True


def _said(layout: Layout, definition: Definition) -> tuple[str, ...]:
    version, sequence = definition.version, str(definition.sequence)
    return ("-C", layout.channel, "--name", definition.name, "--version", version, "--sequence", sequence)


def _package(organisation: Organisation) -> Path:
    return organisation.folder / "chaincode" / "package.tgz"


def _archive(files: dict[str, bytes]) -> bytes:
    """A gzipped tar whose bytes depend on nothing but the files: its hash is the package's id."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)
