"""What runs on one host in production, taken from the settings in force: the one source of every file that `healthtrust deploy`
writes. Which processes there are, where they listen and how each tells that it is well is :func:`healthtrust.platform.processes`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from core.errors import ForPeople
from gateway.settings import Settings
from healthtrust.platform import Process, processes

SECRETS = ("database", "broker")
"""Settings that hold passwords. They are in no rendered file: each is a file named like its variable, handed to the process."""
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_OF_THE_HOST = ("home", "port_base")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class DeployError(ForPeople):
    """These settings are not for production; the message says which, and what to do."""


@dataclass(frozen=True)
class Plan:
    """One host. ``credentials``: variables whose values are handed over as files. ``environment``: all other settings that differ
    from the defaults, by variable."""

    host: str
    settings: Settings
    processes: tuple[Process, ...]
    credentials: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def version(self) -> str:
        """The program's version."""
        return version("healthtrust")


def plan(settings: Settings, host: str, only: Sequence[str] = ()) -> Plan:
    """The plan of a host. ``host``: its name (a DNS label); ``only``: names of the processes that run there, empty = all. Raises
    DeployError."""
    if not settings.production:
        raise DeployError(
            "these settings are for a trial: set production=true and profile=consortium, and what they then ask for"
        )
    if not _NAME.fullmatch(host):
        raise DeployError(f"{host!r} names no host: small letters, digits and hyphens, at most 63")
    chosen = [p for p in processes(settings) if not only or p.name in only]
    if unknown := set(only) - {p.name for p in chosen}:
        there = ", ".join(p.name for p in processes(settings))
        raise DeployError(f"no process {', '.join(sorted(unknown))} in these settings; there are: {there}")
    names = [service_name(p) for p in chosen]
    if len(set(names)) < len(names):
        raise DeployError("two custodians' codes differ only in characters that no host name has: run them on two hosts")
    credentials = tuple(variable(name) for name in SECRETS if getattr(settings, name))
    return Plan(host, settings, tuple(chosen), credentials, dict(_environment(settings)))


def variable(setting: str) -> str:
    """The environment's name of a setting (``gateway.port`` → ``HEALTHTRUST_GATEWAY__PORT``)."""
    return "HEALTHTRUST_" + setting.upper().replace(".", "__")


def service_name(process: Process) -> str:
    """A process's name as host names may be."""
    return re.sub(r"[^a-z0-9]+", "-", process.name.lower()).strip("-")


def in_container(given: Plan) -> dict[str, str]:
    """The environment inside a container: there every process listens on all addresses, on the same ports. Raises DeployError for
    an address of the host itself, which is another one in there."""
    for name, address in outside(given.settings).items():
        if urlsplit(address).hostname in _LOOPBACK:
            raise DeployError(f"{name} is {address.rpartition('@')[2]}, which in a container is the container: name its host")
    shown = dict(given.environment)
    shown[variable("gateway.host")] = EVERYWHERE
    gates = json.loads(shown[variable("gates")])
    return {**shown, variable("gates"): json.dumps([{**gate, "host": EVERYWHERE} for gate in gates], ensure_ascii=False)}


def outside(settings: Settings) -> dict[str, str]:
    """Addresses of others that the processes talk to, by setting."""
    found = {"ledger.url": settings.ledger.url, "database": settings.database, "broker": settings.broker}
    return {name: address for name, address in found.items() if address}


EVERYWHERE = "0.0.0.0"  # noqa: S104  the container's own network; what reaches it is for the network policy to say


def _environment(settings: Settings) -> Iterator[tuple[str, str]]:
    for name, value in _changed(settings.model_dump(mode="json", exclude_defaults=True, exclude={*SECRETS, *_OF_THE_HOST}), ""):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield variable(name), text


def _changed(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        _refuse_password(f"{prefix}{name}", value)
        if isinstance(value, dict):
            yield from _changed(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _refuse_password(name: str, value: Any) -> None:
    """Raise DeployError for an address with a password in it, wherever it lies."""
    for inner in value if isinstance(value, list) else [value]:
        if isinstance(inner, dict):
            for member, within in inner.items():
                _refuse_password(f"{name}.{member}", within)
        elif isinstance(inner, str) and "://" in inner and urlsplit(inner).password:
            raise DeployError(
                f"{name} holds a password: leave it out there and put it into a PostgreSQL password file (PGPASSFILE)"
            )
