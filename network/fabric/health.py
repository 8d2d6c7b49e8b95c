"""What the nodes say of themselves: channel participation of orderers, and metrics of both kinds. Each is asked with its own TLS
certificate; no answer is an answer (None), because a node that is down is an ordinary state."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

import urllib3

from network.fabric.layout import HOST, Orderer, Organisation

_LEADS = ("consensus_etcdraft_is_leader", "consensus_BFT_is_leader")


def orderer_height(orderer: Orderer, channel: str) -> int | None:
    """Number of an orderer's newest block; None when it does not have the channel or does not answer."""
    answer = _ask(orderer.node, orderer.admin_port, f"/participation/v1/channels/{channel}")
    return int(json.loads(answer)["height"]) - 1 if answer else None


def join(orderer: Orderer, block: bytes) -> str:
    """Let an orderer join the channel of this first block; empty, or why it did not."""
    fields = {"config-block": ("config.block", block, "application/octet-stream")}
    url = f"https://{HOST}:{orderer.admin_port}/participation/v1/channels"
    try:
        answer = _client(orderer.node).request("POST", url, fields=fields, timeout=30.0)
    except urllib3.exceptions.HTTPError as error:
        return str(error)
    return "" if answer.status in (201, 405) else answer.data.decode("utf-8", "replace")


def answers(orderer: Orderer) -> bool:
    """Whether an orderer's administration answers."""
    return _ask(orderer.node, orderer.admin_port, "/participation/v1/channels") is not None


def leads(orderer: Orderer, channel: str) -> bool:
    """Whether an orderer says that it leads."""
    said = _metrics(orderer.node, orderer.operations_port)
    return any(_gauge(said, name, channel) == 1 for name in _LEADS)


def peer_height(organisation: Organisation, channel: str) -> int | None:
    """Number of a peer's newest block; None before it joined, or when it does not answer."""
    height = _gauge(_metrics(organisation.folder / "peer", organisation.operations_port), "ledger_blockchain_height", channel)
    return None if height is None else height - 1


def known_peers(organisation: Organisation, channel: str) -> int:
    """How many peers of the channel a peer knows to be alive, besides itself."""
    said = _metrics(organisation.folder / "peer", organisation.operations_port)
    return _gauge(said, "gossip_membership_total_peers_known", channel) or 0


def _gauge(metrics: str, name: str, channel: str) -> int | None:
    found = re.search(rf'^{name}\{{channel="{re.escape(channel)}"\}} (\S+)$', metrics, re.M)
    return int(float(found.group(1))) if found else None


def _metrics(node: Path, port: int) -> str:
    return _ask(node, port, "/metrics") or ""


def _ask(node: Path, port: int, path: str) -> str | None:
    try:
        answer = _client(node).request("GET", f"https://{HOST}:{port}{path}", timeout=3.0)
    except urllib3.exceptions.HTTPError:
        return None
    return answer.data.decode("utf-8", "replace") if answer.status == 200 else None


@lru_cache(maxsize=64)
def _client(node: Path) -> urllib3.PoolManager:
    tls = node / "tls"
    return urllib3.PoolManager(
        maxsize=8,
        retries=False,
        ca_certs=str(tls / "ca.crt"),
        cert_file=str(tls / "server.crt"),
        key_file=str(tls / "server.key"),
    )
