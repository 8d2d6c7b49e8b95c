"""`healthtrust contracts …`: which contract serves which duty, and how the next version takes over by the alliance's vote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.settings import load

app = typer.Typer(no_args_is_help=True, help="The ledger's contracts, and their next versions by the alliance's vote (EVM).")

Member = Annotated[str, typer.Option("--as", help="Which member says it: a custodian's code, or the identity office's.")]
Name = Annotated[str, typer.Argument(help="The duty, e.g. Evidence.")]


@app.command("list")
def list_() -> None:
    """Every duty with its contract, as the alliance published it."""
    from healthtrust.upgrade import serving

    for one in serving(load()):
        typer.echo(f"{one.name:<12} version {one.version} at {one.target}{' frozen' if one.frozen else ''}")


@app.command()
def deploy(
    name: Name, artifact: Annotated[Path, typer.Argument(help="Of the next version, as the build writes it.")], code: Member
) -> None:
    """Put a next version on the chain. It serves nobody until it is published."""
    from healthtrust import upgrade

    typer.echo(upgrade.deploy(load(), code, name, artifact))


@app.command()
def freeze(name: Name, code: Member) -> None:
    """Propose to stop a contract: it refuses every write from then on. Prints the proposal's number."""
    from healthtrust import upgrade

    typer.echo(upgrade.propose(load(), code, name))


@app.command()
def publish(
    name: Name,
    address: Annotated[str, typer.Argument(help="What `deploy` printed.")],
    version: Annotated[int, typer.Argument(min=2, help="Above the one in force.")],
    code: Member,
) -> None:
    """Propose that a next version serves. Prints the proposal's number."""
    from healthtrust import upgrade

    typer.echo(upgrade.propose(load(), code, name, address, version))


@app.command()
def follow() -> None:
    """Take over what the alliance published into contracts.json; start the processes anew afterwards."""
    from healthtrust import upgrade

    changed = upgrade.follow(load())
    typer.echo("\n".join(f"{name} is at {address} now" for name, address in changed.items()) or "nothing changed")
