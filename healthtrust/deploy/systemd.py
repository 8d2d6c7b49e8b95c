"""systemd units of one host: a target, a service a process, the account they run under. Hardened as far as each still works;
``systemd-analyze verify`` and ``security`` judge them in tests/production."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from healthtrust import supervisor
from healthtrust.deploy.plan import Plan, service_name
from healthtrust.platform import Process

USER = "healthtrust"
TARGET = "healthtrust.target"
CREDENTIALS = "/etc/healthtrust/credentials"
HARDENING = """
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
KeyringMode=private
UMask=0077
"""
_HOMES = ("/home", "/root", "/run/user")


def render(plan: Plan, python: Path) -> dict[str, str]:
    """File name → content. ``python``: the interpreter that has this program, on that host."""
    units = {f"healthtrust-{service_name(p)}.service": _service(plan, p, python) for p in plan.processes}
    return {
        **units,
        TARGET: _target(plan, units),
        "healthtrust.sysusers.conf": f'u {USER} - "healthtrust" {plan.settings.home} /usr/sbin/nologin\n',
        "healthtrust.tmpfiles.conf": f"d {plan.settings.home} 0700 {USER} {USER} -\nd {CREDENTIALS} 0700 root root -\n",
    }


def _target(plan: Plan, units: Iterable[str]) -> str:
    return _unit(
        [f"Description=healthtrust on {plan.host}", f"ConditionHost={plan.host}", f"Wants={' '.join(units)}"],
        ("Install", ["WantedBy=multi-user.target"]),
    )


def _service(plan: Plan, process: Process, python: Path) -> str:
    home = plan.settings.home
    return _unit(
        [
            f"Description=healthtrust: {process.about}",
            f"ConditionHost={plan.host}",
            "Wants=network-online.target",
            "After=network-online.target time-sync.target postgresql.service redis-server.service",
            f"PartOf={TARGET}",
            f"RequiresMountsFor={home}",
            # As under `healthtrust up`: a platform that is half there must not look whole.
            f"StartLimitIntervalSec={supervisor.DEATHS_WINDOW_SECONDS:.0f}",
            f"StartLimitBurst={supervisor.DEATHS_ALLOWED}",
        ],
        ("Service", [*_running(plan, process, python), *_confined(home, python)]),
        ("Install", [f"WantedBy={TARGET}"]),
    )


def _running(plan: Plan, process: Process, python: Path) -> list[str]:
    return [
        "Type=exec",
        f"User={USER}",
        f"Environment=HEALTHTRUST_HOME={plan.settings.home}",
        *(f"LoadCredential={name}:{CREDENTIALS}/{name}" for name in plan.credentials),
        f"ExecStart={python} -m {' '.join(process.module)}",
        f"WorkingDirectory={plan.settings.home}",
        "Restart=always",
        "RestartSec=1",
        f"TimeoutStopSec={supervisor.STOP_SECONDS:.0f}",
        "LimitNOFILE=65536",
    ]


def _confined(home: Path, python: Path) -> list[str]:
    # Somebody's home directory that has to be read stays readable; nothing else of them is.
    needed = any(str(path).startswith(folder) for path in (home, python) for folder in _HOMES)
    return [f"ProtectHome={'read-only' if needed else 'yes'}", f"ReadWritePaths={home}", *HARDENING.split("\n")[1:-1]]


def _unit(unit: Sequence[str], *sections: tuple[str, Sequence[str]]) -> str:
    blocks = [("Unit", unit), *sections]
    return "\n".join(f"[{name}]\n" + "".join(f"{line}\n" for line in lines) for name, lines in blocks)
