"""The platform's ledger as a Hyperledger Fabric network on this machine: an organisation for the identity office and one for each
custodian, each with its own peer and contracts; certificates of their accounts; the alliance under one chaincode name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric import ec

from gateway.ledger.fabric.found import Founder, found, known
from gateway.ledger.fabric.gateway import Gateway
from gateway.ledger.fabric.identity import LocalSigner
from gateway.ledger.fabric.open import Deployment
from gateway.ledger.fabric.profile import Profile
from gateway.ledger.fabric.wallet import Wallet
from gateway.ledger.reasons import LedgerError
from gateway.settings import Settings
from network.binaries import built
from network.fabric.layout import write_whole
from network.fabric.network import FabricNetwork

CHAINCODE = "healthtrust"
"""The chaincode name that is the alliance's."""


def network_of(settings: Settings) -> FabricNetwork:
    """The network of a home; ``healthtrust network … --kind fabric`` shows the same one."""
    return FabricNetwork(settings.home / "network" / "fabric", 1 + len(settings.gates))


def command(settings: Settings) -> tuple[str, ...]:
    """Arguments of the process that runs the network. Builds its programs first, which takes minutes once."""
    for program in ("peer", "chaincode"):
        built(program)
    network = network_of(settings)
    members = str(1 + len(settings.gates))
    return ("-m", "network.fabric", "--home", str(network.home), "--organisations", members, "--chaincode", CHAINCODE)


def whole(settings: Settings) -> Callable[[], bool]:
    """Ready when the network was whole since its process began, with the contracts on the channel."""
    return network_of(settings).ready.exists


def found_on_fabric(settings: Settings, first: Founder, members: Mapping[str, Sequence[bytes]]) -> None:
    """Make sure that every account has a certificate, and the alliance its contracts and ``contracts.json``.

    ``members``: each member's name with the keys of its accounts, in the order of the network's organisations; the first account
    of the first founds. Raises LedgerError, NetworkError.
    """
    network = network_of(settings)
    write_whole(settings.path("fabric", "profile.json"), network.profile.read_bytes())
    profile = Profile.read(settings.path("fabric", "profile.json"))
    wallets = [Wallet(settings.path("fabric", "wallet"), msp) for msp in profile.peers]
    for wallet, (name, keys) in zip(wallets, members.items(), strict=True):
        for key in keys:
            _enrol(network, wallet, name, LocalSigner.from_secret(key))
    _enrol_reader(network, wallets[0])
    path = settings.home / "contracts.json"
    if not path.exists():
        founder = wallets[0].account(next(iter(members.values()))[0])
        gateway = Gateway(founder, profile.channel, profile.own(founder.msp), settings.ledger.timeout_seconds)
        write_whole(path, json.dumps(_founded(gateway, settings.alliance, first).dump(), indent=1).encode())
        gateway.close()


def _founded(gateway: Gateway, name: str, first: Founder) -> Deployment:
    """Found the alliance, or learn of it where an earlier start was cut off between founding and writing it down."""
    try:
        return found(gateway, CHAINCODE, name, first)
    except LedgerError as e:
        if e.error != "AlreadyFounded":
            raise
        return known(gateway, CHAINCODE)


def _enrol(network: FabricNetwork, wallet: Wallet, name: str, signer: LocalSigner) -> None:
    public = signer.key.public_key()
    if not wallet.has_account(public):
        wallet.put_account(public, network.issue(wallet.msp, name, public))


def _enrol_reader(network: FabricNetwork, wallet: Wallet) -> None:
    if not wallet.has_reader():
        key = ec.generate_private_key(ec.SECP256R1())
        wallet.put_reader(key, network.issue(wallet.msp, "reader", key.public_key()))
