"""A Helm chart of one host's processes: the templates beside this file, and values made from the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from healthtrust.deploy.container import ACCOUNT, HOME, SECRETS, WIDTH
from healthtrust.deploy.plan import Plan, in_container, outside, service_name
from healthtrust.platform import Process
from healthtrust.supervisor import STOP_SECONDS

CHART = Path(__file__).with_name("chart")


def render(plan: Plan) -> dict[str, str]:
    """File name → content."""
    about = {
        "apiVersion": "v2",
        "name": "healthtrust",
        "type": "application",
        "description": f"healthtrust on {plan.host}",
        "icon": "https://example.invalid/healthtrust.svg",
        "version": plan.version,
        "appVersion": plan.version,
        "kubeVersion": ">=1.27.0-0",
    }
    templates = {f"templates/{path.name}": path.read_text("utf-8") for path in sorted((CHART / "templates").iterdir())}
    return {"Chart.yaml": _text(about), "values.yaml": _text(values(plan)), **templates}


def values(plan: Plan) -> dict[str, Any]:
    """What the templates need of the settings, and nothing that is secret."""
    return {
        "image": {"repository": "healthtrust", "tag": plan.version, "pullPolicy": "IfNotPresent"},
        "account": ACCOUNT,
        "home": {"path": HOME, "size": "200Gi", "accessMode": "ReadWriteMany", "storageClass": ""},
        "credentials": {"secret": "healthtrust-credentials", "folder": SECRETS, "names": list(plan.credentials)},
        "settings": in_container(plan),
        "stopSeconds": int(STOP_SECONDS),
        "processes": {service_name(p): _process(p) for p in plan.processes},
        "network": {"ingressNamespace": "ingress-nginx", "egressPorts": _egress(plan)},
        "ingress": {"className": "nginx", "tlsSecret": "healthtrust-tls"},
    }


def _process(process: Process) -> dict[str, Any]:
    made: dict[str, Any] = {
        "command": list(process.module),
        "replicas": 1,
        "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
    }
    if process.port:
        host = urlsplit(process.url).hostname
        made |= {"port": process.port, "ready": process.ready, "live": process.live, "host": host}
    return made


def _egress(plan: Plan) -> list[int]:
    """Ports outside that these processes talk to: ledger node, database, broker, other members' gateways and gates (https)."""
    usual = {
        "http": 80,
        "https": 443,
        "postgresql+psycopg": 5432,
        "postgresql": 5432,
        "redis": 6379,
        "rediss": 6379,
        "amqp": 5672,
    }
    found = {parts.port or usual.get(parts.scheme, 443) for parts in map(urlsplit, outside(plan.settings).values())}
    return sorted(found | {443})


def _text(content: dict[str, Any]) -> str:
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=WIDTH))
