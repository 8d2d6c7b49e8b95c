"""`healthtrust alliance …`: founding it, and how a hospital becomes a member (docs/operations.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from gateway.settings import load

app = typer.Typer(no_args_is_help=True, help="Found the alliance; invite, agree, join.")

Code = Annotated[str, typer.Argument(help="The custodian's code.")]
Member = Annotated[str, typer.Option("--as", help="Which member says it: a custodian's code, or the identity office's.")]


@app.command()
def found() -> None:
    """As the identity office: contracts, first member, the gateway's account, document types. Prints the ledger's id."""
    from healthtrust import membership
    from healthtrust.platform import make_databases

    make_databases(load())
    typer.echo(membership.found(load()))


@app.command()
def card(code: Code) -> None:
    """What a hospital hands over to be invited (JSON). Its keys and databases are made first where there are none."""
    from healthtrust import membership
    from healthtrust.platform import make_databases

    make_databases(load())
    typer.echo(json.dumps(membership.card(load(), code), ensure_ascii=False, indent=1))


@app.command()
def invite(file: Annotated[Path, typer.Argument(help="The card.")], code: Member) -> None:
    """Propose the organisation of a card. Prints the proposal's number, which the others agree to."""
    from healthtrust import membership

    typer.echo(membership.invite(load(), code, json.loads(file.read_text("utf-8"))))


@app.command()
def vote(proposal: Annotated[int, typer.Argument(help="Its number.")], code: Member) -> None:
    """Agree to a proposal of another member: an invitation, a contract to freeze or to publish, anything."""
    from healthtrust import membership

    membership.vote(load(), code, proposal)
    typer.echo("agreed")


@app.command()
def join(code: Code) -> None:
    """Accept the invitation."""
    from healthtrust import membership

    membership.join(load(), code)
    typer.echo(membership.standing(load(), code))


@app.command()
def standing(code: Code) -> None:
    """What a custodian of ours is: none, invited, active, suspended or left. Exit code 1 unless active."""
    from healthtrust import membership

    found = membership.standing(load(), code)
    typer.echo(found)
    if found != "active":
        raise typer.Exit(1)
