"""`healthtrust network …`: a real consortium's nodes on this machine, to try, to test, and to break on purpose.

The network outlives the command that started it; each command finds it again under ``<home>/network/<kind>``.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gateway.settings import default_home
from network.kinds import MemberNetwork, Network, NetworkStatus
from network.processes import NetworkError

if TYPE_CHECKING:
    from network.fabric.network import FabricNetwork

CHAINCODE = "healthtrust"
"""The name under which a new Fabric network has the ledger's contracts."""

app = typer.Typer(no_args_is_help=True, help="A consortium's nodes on this machine: EVM validators or Hyperledger Fabric.")


class Kind(StrEnum):
    """Which ledger the nodes run."""

    EVM = "evm"
    FABRIC = "fabric"


class Consensus(StrEnum):
    """How Fabric's orderers agree: Raft bears crashes (3 orderers), BFT bears lies too (4)."""

    RAFT = "raft"
    BFT = "bft"


KindOption = Annotated[Kind, typer.Option("--kind", help="Which ledger.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]


@app.command()
def up(
    kind: KindOption,
    organisations: Annotated[int, typer.Option(min=1, max=20, help="Members of a new network (EVM: validators, 4 or more).")] = 4,
    consensus: Annotated[Consensus, typer.Option(help="Of a new Fabric network.")] = Consensus.RAFT,
) -> None:
    """Start the network, or make it on first use; it goes on running. Size and consensus count when it is made."""
    network = of(kind, organisations, consensus)
    network.start()
    if kind is Kind.FABRIC:
        _fabric().commit_chaincode(CHAINCODE)
    typer.echo(text(network.status()))


@app.command()
def down(kind: KindOption) -> None:
    """Stop every node. What the ledger holds stays."""
    of(kind).stop()
    typer.echo("stopped")


@app.command()
def status(kind: KindOption, as_json: JsonOption = False) -> None:
    """What runs and how far it is. Exit code 1 when the network is not whole."""
    found = of(kind).status()
    typer.echo(json.dumps(found) if as_json else text(found))
    if not found["ready"]:
        raise typer.Exit(1)


@app.command()
def kill(
    parts: Annotated[list[str], typer.Argument(help="Parts as `status` names them, or `leader`.")], kind: KindOption
) -> None:
    """Kill parts at once, as a power cut would."""
    of(kind).kill(*parts)


@app.command()
def heal(kind: KindOption) -> None:
    """Start what does not run, and wait until the network is whole and in step."""
    network = of(kind)
    network.heal()
    typer.echo(text(network.status()))


@app.command("add-org")
def add_org(name: Annotated[str, typer.Argument(help="Small letters and digits.")], kind: KindOption) -> None:
    """Let one more organisation in while the network runs, or one that was put out back in."""
    network = _with_members(kind)
    network.add_organisation(name)
    typer.echo(text(network.status()))


@app.command("remove-org")
def remove_org(name: str, kind: KindOption) -> None:
    """Put an organisation out while the network runs."""
    network = _with_members(kind)
    network.remove_organisation(name)
    typer.echo(text(network.status()))


@app.command()
def chaincode(name: str) -> None:
    """Fabric: put the ledger's contracts on the channel under one more name, an alliance of its own."""
    _fabric().commit_chaincode(name)


@app.command()
def issue(
    organisation: Annotated[str, typer.Argument(help="As `status` names it, e.g. org1.")],
    name: Annotated[str, typer.Argument(help="Of the account, for people.")],
    key: Annotated[Path, typer.Argument(help="Its public key (PEM, P-256).")],
) -> None:
    """Fabric: print the certificate of an account of an organisation, for a key that its holder keeps."""
    public = load_pem_public_key(key.read_bytes())
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise NetworkError(f"{key} is no elliptic-curve key")
    network = _fabric()
    typer.echo(network.issue(network.layout.organisation(organisation).msp, name, public).decode(), nl=False)


def of(kind: Kind, organisations: int = 4, consensus: Consensus = Consensus.RAFT) -> Network:
    """The network of a kind under the home in force; its processes outlive this one."""
    if kind is Kind.EVM:
        from network.evm.validators import ValidatorNetwork

        return ValidatorNetwork(home_of(kind), organisations, attached=False)
    return _fabric(organisations, consensus)


def home_of(kind: Kind) -> Path:
    """Where a network of this kind lies."""
    return default_home() / "network" / kind.value


def text(found: NetworkStatus) -> str:
    """A network's status, for people."""
    lines = [f"{found['kind']} network ({found['consensus']}): {'whole' if found['ready'] else '✗ not whole'}"]
    for part in found["parts"]:
        height = "" if part["height"] is None else f"block {part['height']}"
        state = f"pid {part['pid']}" if part["pid"] else "✗ down"
        lines.append(f"  {part['name']:<18} {part['role']:<10} {state:<12} {part['address']:<22} {height}".rstrip())
    return "\n".join(lines)


def _fabric(organisations: int = 4, consensus: Consensus = Consensus.RAFT) -> FabricNetwork:
    from network.fabric.network import FabricNetwork

    return FabricNetwork(home_of(Kind.FABRIC), organisations, consensus.value, attached=False)


def _with_members(kind: Kind) -> MemberNetwork:
    network = of(kind)
    if not isinstance(network, MemberNetwork):
        raise NetworkError(f"members of a {kind.value} network are not changed by this command")
    return network
