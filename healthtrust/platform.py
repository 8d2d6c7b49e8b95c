"""Which processes run on one machine, in which order, and how each tells that it is ready: the embedded profile, or the same on a
Fabric network of its own (``ledger.kind=fabric``)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from gateway.settings import GateSettings, Settings
from healthtrust.supervisor import Service, Supervisor, SupervisorError, python

PAGES = {"resident": "居民 resident", "doctor": "医生 doctor", "auditor": "审计 auditor", "verify": "核对证明 verify"}

LOOPBACK = httpx.Client(timeout=2.0, trust_env=False)


def answers(url: str) -> Callable[[], bool]:
    """Ready when a GET is answered with 200."""

    def ready() -> bool:
        try:
            return LOOPBACK.get(url).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    return ready


def node_answers(settings: Settings) -> Callable[[], bool]:
    """Ready when the node's head is fresh (one that continues an old state has to make a block first), or the Fabric network is
    whole."""
    if settings.ledger.kind == "fabric":
        from healthtrust import fabric

        return fabric.whole(settings)

    def ready() -> bool:
        ask = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["latest", False]}
        try:
            head = LOOPBACK.post(settings.ledger.url, json=ask).json()["result"]
        except (httpx.HTTPError, KeyError):
            return False
        return time.time() - int(head["timestamp"], 16) <= settings.ledger.max_head_age_seconds

    return ready


def refuse_busy_ports(settings: Settings) -> None:
    """Raise SupervisorError naming every port that another program holds, and what to do about it."""
    wanted = {"gateway": settings.gateway.port}
    if settings.ledger.kind != "fabric":
        wanted["node"] = httpx.URL(settings.ledger.url).port or 0
    wanted |= {f"gate {gate.code}": gate.port for gate in settings.gates}
    busy = [f"{port} ({name})" for name, port in wanted.items() if _busy(port)]
    if busy:
        raise SupervisorError(
            f"these ports are taken by another program: {', '.join(busy)}. Free them, or choose others with --port-base 18080"
        )


def _busy(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def make_databases(settings: Settings) -> None:
    """Make every database that lies beside ``settings.database`` and is not there yet. Raises the driver's errors."""
    if settings.database:
        from gateway.ledger.db import create_database

        own = [settings.gateway_database(), settings.mirror_database(), settings.registrar_database()]
        for url in (*own, *(settings.custodian_database(gate.code) for gate in settings.gates)):
            create_database(settings.database, url)


def environment(settings: Settings) -> dict[str, str]:
    """What every child must know: home and ports; the rest is in the home's settings.toml or the environment."""
    return {"HEALTHTRUST_HOME": str(settings.home), "HEALTHTRUST_PORT_BASE": str(settings.port_base)}


def node(settings: Settings) -> Service:
    """The embedded EVM node, or the Fabric network."""
    if settings.ledger.kind == "fabric":
        from healthtrust import fabric

        return Service("node", python(*fabric.command(settings)), node_answers(settings), environment(settings))
    port = str(httpx.URL(settings.ledger.url).port)
    return Service(
        "node",
        python(
            "-m",
            "network.evm",
            "--home",
            str(settings.home / "chain"),
            "--port",
            port,
            "--chain-id",
            str(settings.ledger.chain_id),
            "--block-seconds",
            str(settings.ledger.block_seconds),
        ),
        node_answers(settings),
        environment(settings),
    )


@dataclass(frozen=True)
class Process:
    """One process of a member's own, wherever it runs. ``module``: what Python is told after ``-m``. ``host``, ``port``: where it
    listens; port 0: it does not. ``live``: path that answers 200 while the process is well (empty: it listens, no more is known);
    ``ready``: path that does only while it can do its work. ``url``: what clients use."""

    name: str
    about: str
    module: tuple[str, ...]
    host: str = ""
    port: int = 0
    live: str = ""
    ready: str = ""
    url: str = ""
    workers: int = 1


def processes(settings: Settings) -> list[Process]:
    """Everything that reads the node: gateway, worker, mirror, one gate a custodian; the collector where there is an inbox."""
    own, serve = settings.gateway, "healthtrust.serve"
    live, ready = "/api/v1/health", "/api/v1/ready"
    return [
        Process("gateway", "gateway and pages", (serve, "gateway"), own.host, own.port, live, ready, own.public_url, own.workers),
        Process("worker", "outbox, schedules and notices", ("gateway.worker",)),
        Process("mirror", "mirror of the chain", ("mirror",)),
        *([Process("collector", "deliveries of the sources", ("healthtrust.collector",))] if _collects(settings) else []),
        *(_gate(gate) for gate in settings.gates),
    ]


def _gate(gate: GateSettings) -> Process:
    name, module = f"gate-{gate.code}", ("healthtrust.serve", "gate", gate.code)
    about, ready = f"release gate of {gate.code}", "/gate/v1/health"
    return Process(name, about, module, gate.host, gate.port, "", ready, gate.public_url, gate.workers)


def services(settings: Settings) -> list[Service]:
    """The same under the supervisor of this machine."""
    env = environment(settings)
    return [Service(p.name, python("-m", *p.module), _well(p), env) for p in processes(settings)]


def _well(process: Process) -> Callable[[], bool]:
    if not process.port:
        return lambda: True
    return answers(f"http://{process.host}:{process.port}{process.live or process.ready}")


def _collects(settings: Settings) -> bool:
    return any(gate.inbox for gate in settings.gates)


@dataclass(frozen=True)
class Platform:
    """Everything running: what the story needs to talk to it."""

    settings: Settings
    supervisor: Supervisor

    def watch(self, until: Callable[[], bool]) -> None:
        """Keep every process alive until ``until()``."""
        self.supervisor.watch(until)

    def addresses(self) -> str:
        """The pages, for people."""
        base = self.settings.gateway.public_url
        return "\n".join(f"  {text:<24}{base}/{page}/" for page, text in PAGES.items())


@contextmanager
def running_platform(settings: Settings, say: Callable[[str], None]) -> Iterator[Platform]:
    """The whole embedded profile: node, contracts and alliance (made once), services; all stopped on the way out."""
    with Supervisor(settings.home) as supervisor:
        refuse_busy_ports(settings)
        say(f"· node ({settings.ledger.url})" if settings.ledger.kind != "fabric" else "· Fabric network")
        with supervisor.starting([node(settings)]):
            # What signs and deploys takes a second to import: the node starts meanwhile.
            from healthtrust.founding import found_alliance

            make_databases(settings)
        say("· contracts and alliance")
        found_alliance(settings)
        say("· gateway, worker, mirror, gates")
        supervisor.start(services(settings))
        yield Platform(settings, supervisor)
