"""How each process is started: Fabric takes its settings from the environment over its sample files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from network.binaries import built
from network.fabric.layout import HOST, Layout, Orderer, Organisation
from network.processes import Program

_BUILDER = Path(__file__).with_name("builder")
# A client may not choose a transaction's time: peers refuse a proposal further than this from their own clock.
CLOCK_SECONDS = 60


def orderer_program(orderer: Orderer) -> Program:
    """An ordering node."""
    tls, data = orderer.node / "tls", orderer.folder / "data"
    settings = {
        "GENERAL_LISTENADDRESS": HOST,
        "GENERAL_LISTENPORT": str(orderer.port),
        "GENERAL_BOOTSTRAPMETHOD": "none",
        "GENERAL_LOCALMSPID": orderer.msp,
        "GENERAL_LOCALMSPDIR": str(orderer.node / "msp"),
        **_server_tls("GENERAL_TLS", tls, private="PRIVATEKEY", public="CERTIFICATE"),
        "GENERAL_TLS_ROOTCAS": f"[{tls / 'ca.crt'}]",
        "GENERAL_CLUSTER_CLIENTCERTIFICATE": str(tls / "server.crt"),
        "GENERAL_CLUSTER_CLIENTPRIVATEKEY": str(tls / "server.key"),
        "GENERAL_BACKOFF_MAXDELAY": "2s",
        "CHANNELPARTICIPATION_ENABLED": "true",
        "ADMIN_LISTENADDRESS": f"{HOST}:{orderer.admin_port}",
        **_server_tls("ADMIN_TLS", tls, private="PRIVATEKEY", public="CERTIFICATE"),
        "ADMIN_TLS_CLIENTAUTHREQUIRED": "true",
        "ADMIN_TLS_CLIENTROOTCAS": f"[{tls / 'ca.crt'}]",
        "OPERATIONS_LISTENADDRESS": f"{HOST}:{orderer.operations_port}",
        **_server_tls("OPERATIONS_TLS", tls, private="PRIVATEKEY", public="CERTIFICATE"),
        "OPERATIONS_TLS_CLIENTROOTCAS": f"[{tls / 'ca.crt'}]",
        "METRICS_PROVIDER": "prometheus",
        "FILELEDGER_LOCATION": str(data / "ledger"),
        "CONSENSUS_WALDIR": str(data / "wal"),
        "CONSENSUS_SNAPDIR": str(data / "snapshots"),
    }
    return _program(orderer.name, ["orderer"], "ORDERER", settings, built("orderer.yaml").parent)


def peer_program(layout: Layout, organisation: Organisation) -> Program:
    """A member's peer. Its settings file lies beside its TLS folder: one setting is a list that is split at spaces, so it holds
    a relative path."""
    shutil.copyfile(built("core.yaml"), organisation.folder / "peer" / "core.yaml")
    tls, data = organisation.folder / "peer" / "tls", organisation.folder / "data"
    settings = {
        "PEER_ID": organisation.peer,
        "PEER_NETWORKID": layout.channel,
        "PEER_ADDRESS": organisation.address,
        "PEER_LISTENADDRESS": organisation.address,
        "PEER_CHAINCODEADDRESS": organisation.chaincode_listen,
        "PEER_CHAINCODELISTENADDRESS": organisation.chaincode_listen,
        "PEER_LOCALMSPID": organisation.msp,
        "PEER_MSPCONFIGPATH": str(organisation.folder / "peer" / "msp"),
        "PEER_FILESYSTEMPATH": str(data),
        "PEER_AUTHENTICATION_TIMEWINDOW": f"{CLOCK_SECONDS}s",
        **_server_tls("PEER_TLS", tls, private="KEY_FILE", public="CERT_FILE"),
        "PEER_TLS_ROOTCERT_FILE": str(tls / "ca.crt"),
        **_gossip(organisation),
        "PEER_GATEWAY_DIALTIMEOUT": "10s",  # 2 minutes by default: longer than any caller waits
        # A peer that lost every orderer for a while must not wait an hour before it asks again, nor ever give up.
        "PEER_DELIVERYCLIENT_RECONNECTBACKOFFTHRESHOLD": "2s",
        "PEER_DELIVERYCLIENT_RECONNECTTOTALTIMETHRESHOLD": "87600h",
        "LEDGER_SNAPSHOTS_ROOTDIR": str(data / "snapshots"),
        "OPERATIONS_LISTENADDRESS": f"{HOST}:{organisation.operations_port}",
        **_server_tls("OPERATIONS_TLS", tls, private="KEY_FILE", public="CERT_FILE"),
        "OPERATIONS_TLS_CLIENTROOTCAS_FILES": "tls/ca.crt",
        "METRICS_PROVIDER": "prometheus",
        "VM_ENDPOINT": "",  # no containers
        "CHAINCODE_EXTERNALBUILDERS": json.dumps([{"name": "service", "path": str(_BUILDER)}]),
    }
    return _program(organisation.peer, ["peer", "node", "start"], "CORE", settings, organisation.folder / "peer")


def chaincode_program(organisation: Organisation, program: Path, package_id: str) -> Program:
    """A member's own server of the chaincode, for its own peer only."""
    tls = organisation.folder / "chaincode" / "tls"
    settings = {
        "CORE_CHAINCODE_ID_NAME": package_id,
        "CHAINCODE_SERVER_ADDRESS": organisation.chaincode_address,
        "CHAINCODE_TLS_KEY_FILE": str(tls / "server.key"),
        "CHAINCODE_TLS_CERT_FILE": str(tls / "server.crt"),
        "CHAINCODE_CLIENT_CA_FILE": str(tls / "ca.crt"),
    }
    return Program(organisation.chaincode, (str(program),), settings)


def _gossip(organisation: Organisation) -> dict[str, str]:
    """Peers of other organisations are found through anchors; the defaults take half a minute to notice one."""
    settings = {
        "BOOTSTRAP": organisation.address,
        "EXTERNALENDPOINT": organisation.address,
        "RECONNECTINTERVAL": "2s",
        "ALIVETIMEINTERVAL": "1s",
        "ALIVEEXPIRATIONTIMEOUT": "20s",
        "PUBLISHSTATEINFOINTERVAL": "500ms",
        "REQUESTSTATEINFOINTERVAL": "500ms",
        "MEMBERSHIPTRACKERINTERVAL": "1s",
    }
    return {f"PEER_GOSSIP_{k}": v for k, v in settings.items()}


def _server_tls(section: str, tls: Path, private: str, public: str) -> dict[str, str]:
    return {
        f"{section}_ENABLED": "true",
        f"{section}_{private}": str(tls / "server.key"),
        f"{section}_{public}": str(tls / "server.crt"),
    }


def _program(name: str, command: list[str], prefix: str, settings: dict[str, str], folder: Path) -> Program:
    path = built(command[0])
    environment = {"FABRIC_CFG_PATH": str(folder), "FABRIC_LOGGING_SPEC": "warn"}
    environment |= {f"{prefix}_{k}": v for k, v in settings.items()}
    return Program(name, (str(path), *command[1:]), environment)
