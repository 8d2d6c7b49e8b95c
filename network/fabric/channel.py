"""The channel: its first block, and changes of its membership while it runs.

Nobody decides alone: changes of members need the administrators of a majority of members, changes of ordering those of a majority
of orderers, and a chaincode's definition and its writes the endorsement of a majority of members' peers.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from network.fabric.layout import HOST, Layout, Orderer, Organisation
from network.fabric.tools import as_admin, run, through

BATCH_SECONDS = 0.1
BATCH_MESSAGES = 500

_PROFILE = "Channel"
_RAFT = {"TickInterval": "200ms", "ElectionTick": 10, "HeartbeatTick": 1, "MaxInflightBlocks": 5, "SnapshotIntervalSize": "16 MB"}
# By default a dead leader is noticed after more than a minute.
_BFT = {
    "RequestForwardTimeout": "500ms",
    "RequestComplainTimeout": "5s",
    "RequestAutoRemoveTimeout": "3m0s",
    "ViewChangeResendInterval": "2s",
    "ViewChangeTimeout": "10s",
    "LeaderHeartbeatTimeout": "6s",
    "LeaderHeartbeatCount": 10,
    "CollectTimeout": "1s",
    "IncomingMessageBufferSize": 200,
    "RequestPoolSize": 100000,
}


def write_first_block(layout: Layout, path: Path) -> None:
    """Make the channel's first block, unless it is there."""
    if path.exists():
        return
    with tempfile.TemporaryDirectory(dir=layout.home, prefix=".genesis.") as folder:
        _write_configtx(layout, layout.organisations, Path(folder))
        made = Path(folder) / "block"
        run("configtxgen", "-configPath", folder, "-profile", _PROFILE, "-channelID", layout.channel, "-outputBlock", made)
        made.replace(path)


def add_member(layout: Layout, member: Organisation, orderer: Orderer) -> None:
    """Put an organisation on the channel, signed by the administrators of a majority of the members in ``layout``."""
    with tempfile.TemporaryDirectory(dir=layout.home, prefix=".member.") as folder:
        _write_configtx(layout, [member], Path(folder))
        entry = json.loads(run("configtxgen", "-configPath", folder, "-printOrg", member.msp))
        anchor = {"host": HOST, "port": member.port}
        entry["values"]["AnchorPeers"] = {"mod_policy": "Admins", "value": {"anchor_peers": [anchor]}, "version": "0"}

        def put(members: dict[str, Any]) -> None:
            members[member.msp] = entry

        _change_members(layout, orderer, Path(folder), put)


def remove_member(layout: Layout, msp: str, orderer: Orderer) -> None:
    """Take an organisation off the channel, signed by the administrators of members in ``layout``, which are those that stay: its
    peers' endorsements and its members' transactions count no more."""
    with tempfile.TemporaryDirectory(dir=layout.home, prefix=".member.") as folder:

        def put_out(members: dict[str, Any]) -> None:
            del members[msp]

        _change_members(layout, orderer, Path(folder), put_out)


def members(layout: Layout, orderer: Orderer) -> set[str]:
    """MSP ids of the organisations that the channel has now."""
    with tempfile.TemporaryDirectory(dir=layout.home, prefix=".member.") as folder:
        return set(_members_of(_config(layout, orderer, Path(folder))))


def _config(layout: Layout, orderer: Orderer, folder: Path) -> dict[str, Any]:
    """The channel's configuration now, as Fabric's tools put it in JSON."""
    block = folder / "config.block"
    as_admin(layout.organisations[0], "channel", "fetch", "config", block, "-c", layout.channel, *through(orderer))
    decoded = json.loads(run("configtxlator", "proto_decode", "--type", "common.Block", "--input", block))
    config: dict[str, Any] = decoded["data"]["data"][0]["payload"]["data"]["config"]
    return config


def _members_of(config: dict[str, Any]) -> dict[str, Any]:
    groups: dict[str, Any] = config["channel_group"]["groups"]["Application"]["groups"]
    return groups


def _change_members(layout: Layout, orderer: Orderer, folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Fetch, change, compute the difference, let a majority of the present members sign it, and send it."""
    before = _config(layout, orderer, folder)
    after = copy.deepcopy(before)
    change(_members_of(after))
    if after == before:
        return
    update = folder / "update.pb"
    paths = [_encoded(folder, name, "common.Config", value) for name, value in (("before", before), ("after", after))]
    run(
        "configtxlator", "compute_update", "--channel_id", layout.channel, "--original", paths[0], "--updated", paths[1],
        "--output", update,
    )  # fmt: skip
    wanted = json.loads(run("configtxlator", "proto_decode", "--type", "common.ConfigUpdate", "--input", update))
    header = {"channel_header": {"channel_id": layout.channel, "type": 2}}
    envelope = {"payload": {"header": header, "data": {"config_update": wanted}}}
    signed = _encoded(folder, "envelope", "common.Envelope", envelope)
    present = _members_of(before)
    signers = [o for o in layout.organisations if o.msp in present][: len(present) // 2 + 1]
    for signer in signers[1:]:
        as_admin(signer, "channel", "signconfigtx", "-f", signed)
    # Sending signs too.
    as_admin(signers[0], "channel", "update", "-f", signed, "-c", layout.channel, *through(orderer))


def _encoded(folder: Path, name: str, kind: str, value: Any) -> Path:
    plain, coded = folder / f"{name}.json", folder / f"{name}.pb"
    plain.write_text(json.dumps(value))
    run("configtxlator", "proto_encode", "--type", kind, "--input", plain, "--output", coded)
    return coded


def _write_configtx(layout: Layout, organisations: list[Organisation], folder: Path) -> None:
    application = {
        "Organizations": [_member(o) for o in organisations],
        "Policies": {**_policies(), "LifecycleEndorsement": _majority("Endorsement"), "Endorsement": _majority("Endorsement")},
        "Capabilities": {"V2_5": True},
    }
    # configtxgen wants YAML, and JSON is YAML.
    content = {
        "Organizations": [_member(o) for o in organisations],
        "Profiles": {
            _PROFILE: {
                "Policies": _policies(),
                "Capabilities": {"V3_0": True},
                "Orderer": _ordering(layout),
                "Application": application,
            }
        },
    }
    (folder / "configtx.yaml").write_text(json.dumps(content, indent=1))


def _ordering(layout: Layout) -> dict[str, Any]:
    batch = f"{BATCH_SECONDS * 1000:.0f}ms"
    common = {
        "BatchTimeout": batch,
        "BatchSize": {"MaxMessageCount": BATCH_MESSAGES, "AbsoluteMaxBytes": "10 MB", "PreferredMaxBytes": "2 MB"},
        "Organizations": [_orderer(o) for o in layout.orderers],
        "Policies": {**_policies(), "BlockValidation": _any("Writers")},
        "Capabilities": {"V2_0": True},
    }
    if layout.consensus == "bft":
        mapping = [_consenter(number, o) for number, o in enumerate(layout.orderers, 1)]
        return {
            **common,
            "OrdererType": "BFT",
            "SmartBFT": {**_BFT, "RequestBatchMaxInterval": batch},
            "ConsenterMapping": mapping,
        }
    consenters = [_endpoint(o) for o in layout.orderers]
    return {**common, "OrdererType": "etcdraft", "EtcdRaft": {"Consenters": consenters, "Options": _RAFT}}


def _endpoint(orderer: Orderer) -> dict[str, Any]:
    certificate = str(orderer.node / "tls" / "server.crt")
    return {"Host": HOST, "Port": orderer.port, "ClientTLSCert": certificate, "ServerTLSCert": certificate}


def _consenter(number: int, orderer: Orderer) -> dict[str, Any]:
    identity = str(orderer.node / "msp" / "signcerts" / "cert.pem")
    return {"ID": number, "MSPID": orderer.msp, "Identity": identity, **_endpoint(orderer)}


def _orderer(orderer: Orderer) -> dict[str, Any]:
    return {**_organisation(orderer.msp, orderer.folder), "OrdererEndpoints": [orderer.address]}


def _member(organisation: Organisation) -> dict[str, Any]:
    entry = _organisation(organisation.msp, organisation.folder)
    entry["Policies"]["Endorsement"] = _signed_by(f"{organisation.msp}.peer")
    # Without an anchor the peers of other organisations are not found, and the Gateway finds no endorsers.
    return {**entry, "AnchorPeers": [{"Host": HOST, "Port": organisation.port}]}


def _organisation(msp: str, folder: Path) -> dict[str, Any]:
    policies = {
        name: _signed_by(f"{msp}.{who}") for name, who in (("Readers", "member"), ("Writers", "member"), ("Admins", "admin"))
    }
    return {"Name": msp, "ID": msp, "MSPDir": str(folder / "msp"), "Policies": policies}


def _policies() -> dict[str, Any]:
    return {"Readers": _any("Readers"), "Writers": _any("Writers"), "Admins": _majority("Admins")}


def _any(of: str) -> dict[str, str]:
    return {"Type": "ImplicitMeta", "Rule": f"ANY {of}"}


def _majority(of: str) -> dict[str, str]:
    return {"Type": "ImplicitMeta", "Rule": f"MAJORITY {of}"}


def _signed_by(who: str) -> dict[str, str]:
    return {"Type": "Signature", "Rule": f"OR('{who}')"}
