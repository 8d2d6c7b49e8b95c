"""What the alliance can decide by vote, as the bytes ``Alliance.propose`` takes (ABI encoding on every ledger).

These calls are not whole yet: ``gateway.ledger.membership.signed`` adds the signature of the member that proposes or votes.

Numbers are those of ``Action`` in contracts/src/types/Types.sol.
"""

from __future__ import annotations

from enum import IntEnum

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from gateway.ledger.port import Call

INIT = "(bytes32,bytes32,uint32,bytes32,bytes32,address)"


class Action(IntEnum):
    """Kinds of decisions."""

    INVITE = 0
    SUSPEND = 1
    RESTORE = 2
    EXPEL = 3
    SET_ROLES = 4
    ROTATE_KEY = 5
    EXECUTE = 6


def invite(organisation: bytes, name_digest: bytes, roles: int, public: bytes, account: str) -> Call:
    """Invite a member: id, SM3 of its public name, role bits, SM2 key (x‖y, 64 bytes), first ledger account (0x…)."""
    init = (organisation, name_digest, roles, public[:32], public[32:], account)
    return _propose(Action.INVITE, encode([INIT], [init]))


def suspend(organisation: bytes) -> Call:
    """Stop a member for a while."""
    return _propose(Action.SUSPEND, encode(["bytes32"], [organisation]))


def restore(organisation: bytes) -> Call:
    """Let a suspended member act again."""
    return _propose(Action.RESTORE, encode(["bytes32"], [organisation]))


def expel(organisation: bytes) -> Call:
    """Remove a member."""
    return _propose(Action.EXPEL, encode(["bytes32"], [organisation]))


def set_roles(organisation: bytes, roles: int) -> Call:
    """Change a member's role bits (0 custodian, 1 reader, 2 registrar, 3 auditor, 4 operator)."""
    return _propose(Action.SET_ROLES, encode(["bytes32", "uint32"], [organisation, roles]))


def rotate_key(organisation: bytes, public: bytes) -> Call:
    """Replace a member's SM2 key (x‖y) by vote, when it can no longer sign with the old one."""
    return _propose(Action.ROTATE_KEY, encode(["bytes32", "bytes32", "bytes32"], [organisation, public[:32], public[32:]]))


def freeze(registry: str, name: str) -> Call:
    """Stop a contract. ``registry``: the Registry's address."""
    return _execute(registry, _selector("freeze(bytes32)") + encode(["bytes32"], [name.encode("ascii")]))


def thaw(registry: str, name: str) -> Call:
    """Let a frozen contract serve again."""
    return _execute(registry, _selector("thaw(bytes32)") + encode(["bytes32"], [name.encode("ascii")]))


def publish(registry: str, name: str, address: str, version: int) -> Call:
    """Name the contract that serves a duty from now on."""
    args = encode(["bytes32", "address", "uint32"], [name.encode("ascii"), address, version])
    return _execute(registry, _selector("publish(bytes32,address,uint32)") + args)


def vote(proposal: int) -> Call:
    """Agree to a proposal."""
    return Call("Alliance", "vote", {"proposal": proposal})


def _execute(target: str, data: bytes) -> Call:
    return _propose(Action.EXECUTE, encode(["address", "bytes"], [target, data]))


def _propose(action: Action, args: bytes) -> Call:
    return Call("Alliance", "propose", {"action": int(action), "args": args})


def _selector(signature: str) -> bytes:
    return keccak(text=signature)[:4]
