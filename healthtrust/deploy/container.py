"""Container files of one host: an image for every process (no root, nothing of it writable) and a compose file that runs them."""

from __future__ import annotations

from typing import Any

import yaml

from healthtrust.deploy.plan import Plan, in_container, service_name
from healthtrust.platform import Process
from healthtrust.supervisor import STOP_SECONDS

HOME = "/var/lib/healthtrust"
SECRETS = "/run/secrets"
ACCOUNT = 10001
WIDTH = 10_000
"""No line of a rendered file is broken: a folded value is hard to compare."""
CONTAINERFILE = f"""# Everything is built from the locked requirements of the source tree, which is the build context.
FROM docker.io/library/node:22.20-bookworm-slim AS build
RUN apt-get update \\
 && apt-get install --yes --no-install-recommends ca-certificates git make python3 python3-venv \\
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/healthtrust
COPY . .
RUN make .cache/stamps/runtime .cache/stamps/contracts .cache/stamps/pages && rm -rf node_modules .cache .git

FROM docker.io/library/debian:12.12-slim
RUN apt-get update \\
 && apt-get install --yes --no-install-recommends ca-certificates python3 tini \\
 && rm -rf /var/lib/apt/lists/* \\
 && useradd --system --uid {ACCOUNT} --home-dir {HOME} --create-home --shell /usr/sbin/nologin healthtrust \\
 && chmod 0700 {HOME}
COPY --from=build /opt/healthtrust /opt/healthtrust
ENV HEALTHTRUST_HOME={HOME} CREDENTIALS_DIRECTORY={SECRETS} PATH=/opt/healthtrust/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
WORKDIR {HOME}
VOLUME {HOME}
USER {ACCOUNT}:{ACCOUNT}
ENTRYPOINT ["tini", "--", "python", "-m"]
CMD ["healthtrust.serve", "gateway"]
"""
IGNORED = ".git\n.cache\n.venv\n**/node_modules\n**/dist\n**/__pycache__\ntest-artifacts\n"
_ASK = "import sys, urllib.request as u; sys.exit(u.urlopen(sys.argv[1], timeout=4).status != 200)"


def render(plan: Plan) -> dict[str, str]:
    """File name → content."""
    environment = {**in_container(plan), "CREDENTIALS_DIRECTORY": SECRETS, "HEALTHTRUST_HOME": HOME}
    services = {service_name(p): _service(plan, p, environment) for p in plan.processes}
    composed: dict[str, Any] = {"name": "healthtrust", "services": dict(sorted(services.items())), "volumes": {"home": {}}}
    if plan.credentials:
        composed["secrets"] = {name: {"file": f"./credentials/{name}"} for name in plan.credentials}
    head = f"# {plan.host}: made by `healthtrust deploy render --kind container`; change the settings and render again.\n"
    return {
        "Containerfile": CONTAINERFILE,
        "Containerfile.dockerignore": IGNORED,
        "compose.yaml": head + yaml.safe_dump(composed, sort_keys=False, allow_unicode=True, width=WIDTH),
    }


def _service(plan: Plan, process: Process, environment: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "image": f"healthtrust:{plan.version}",
        "command": list(process.module),
        "user": f"{ACCOUNT}:{ACCOUNT}",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": ["/tmp:mode=1777,size=64m"],  # noqa: S108  a memory file system of this container alone
        "pids_limit": 512,
        "environment": environment,
        "volumes": [f"home:{HOME}"],
        "restart": "unless-stopped",
        "stop_grace_period": f"{STOP_SECONDS:.0f}s",
    }
    if plan.credentials:
        made["secrets"] = list(plan.credentials)
    if process.port:
        made["ports"] = [f"127.0.0.1:{process.port}:{process.port}"]
        made["healthcheck"] = {
            "test": ["CMD", "python", "-c", _ASK, f"http://127.0.0.1:{process.port}{process.ready}"],
            "interval": "15s",
            "timeout": "5s",
            "retries": 4,
            "start_period": "60s",
        }
    return made
