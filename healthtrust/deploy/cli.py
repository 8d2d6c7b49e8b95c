"""`healthtrust deploy …`: files for one host in production, made from the settings in force."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.settings import load

app = typer.Typer(no_args_is_help=True, help="Files for a host in production, made from the settings in force.")


class Kind(StrEnum):
    """How the host runs its processes."""

    SYSTEMD = "systemd"
    CONTAINER = "container"
    HELM = "helm"


@app.command()
def render(
    kind: Annotated[Kind, typer.Option("--kind", help="How the host runs its processes.")],
    host: Annotated[str, typer.Option("--host", help="Its name; systemd units start on no other.")],
    into: Annotated[Path, typer.Option("--into", help="Folder that gets the files.")],
    only: Annotated[
        list[str] | None, typer.Option("--only", help="A process that runs there; may be repeated. Without: all.")
    ] = None,
    python: Annotated[Path, typer.Option(help="systemd: the interpreter on that host that has this program.")] = Path(
        sys.executable
    ),
) -> None:
    """Write systemd units, container files or a Helm chart. Passwords are in none of them."""
    from healthtrust.deploy import container, helm, systemd
    from healthtrust.deploy.plan import plan

    made = plan(load(), host, only or ())
    files = {
        Kind.SYSTEMD: lambda: systemd.render(made, python),
        Kind.CONTAINER: lambda: container.render(made),
        Kind.HELM: lambda: helm.render(made),
    }[kind]()
    for name, content in files.items():
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
        typer.echo(path)


@app.callback()
def _group() -> None:
    """Keeps `render` a command of its own while it is the only one."""
