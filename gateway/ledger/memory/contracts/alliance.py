"""Alliance: members, their keys and accounts, and votes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from core import crypto
from core.words import kind_word
from gateway.ledger.actions import INIT, Action
from gateway.ledger.memory.contracts.common import ZERO, is_key, member, pack, seat_of, verify, z_of
from gateway.ledger.memory.contracts.members import ACTIVE, INVITED, LEFT, NONE, SUSPENDED, Organisation
from gateway.ledger.memory.frame import METHODS, Frame, Revert, external

NAME = "Alliance"
ALL_ROLES = (1 << 5) - 1
VOTING_PERIOD = 30 * 86_400
NO_ADDRESS = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class Proposal:
    action: int
    args: bytes
    expires: int
    executed: bool = False
    voters: tuple[bytes, ...] = ()


def found(f: Frame, init: tuple[Any, ...]) -> None:
    """What the constructor does: the first member joins."""
    _invite(f, init)
    _activate(f, init[0])


@external(NAME, "propose(uint8 action, bytes args, bytes32 r, bytes32 s)")
def propose(f: Frame, action: int, args: bytes, r: bytes, s: bytes) -> int:
    if action > Action.EXECUTE:
        raise Revert
    caller = _active_caller(f)
    _require_signed(f, caller, "alliance-proposal", r, s, action, crypto.sm3(args))
    o = member(f, caller)
    f.put(NAME, "organisation", caller, value=replace(o, key_nonce=o.key_nonce + 1))
    return open_proposal(f, caller, action, args)


def open_proposal(f: Frame, caller: bytes, action: int, args: bytes) -> int:
    """Open a proposal with the caller's vote; the founder's publications need no signature beside the founding itself."""
    number: int = f.get(NAME, "proposals") or 0
    f.put(NAME, "proposals", value=number + 1)
    f.put(NAME, "proposal", number, value=Proposal(action, args, f.time + VOTING_PERIOD))
    f.emit(NAME, "Proposed", proposal=number, organisation=caller, action=action, args=args, expires=f.time + VOTING_PERIOD)
    _vote(f, number, caller)
    return number


@external(NAME, "vote(uint256 proposal, bytes32 r, bytes32 s)")
def vote(f: Frame, proposal: int, r: bytes, s: bytes) -> None:
    caller = _active_caller(f)
    p = _proposal(f, proposal)
    _require_said(f, caller, "alliance-vote", r, s, proposal, p.action, crypto.sm3(p.args))
    _vote(f, proposal, caller)


@external(NAME, "join(bytes32 organisation)")
def join(f: Frame, organisation: bytes) -> None:
    if organisation_of(f, f.sender) != organisation or organisation == ZERO:
        raise Revert("NotAMember", f.sender)
    _require_status(f, organisation, INVITED)
    _activate(f, organisation)


@external(NAME, "leave(bytes32 r, bytes32 s)")
def leave(f: Frame, r: bytes, s: bytes) -> None:
    id = _active_caller(f)
    _require_signed(f, id, "alliance-leave", r, s)
    _remove(f, id, expelled=False)


@external(NAME, "rotateKey(bytes32 x, bytes32 y, bytes32 r, bytes32 s)")
def rotate_key(f: Frame, x: bytes, y: bytes, r: bytes, s: bytes) -> None:
    id = _active_caller(f)
    _require_signed(f, id, "organisation-key", r, s, x, y)
    _set_key(f, id, x, y)


@external(NAME, "setAccount(address account, bool allowed, bytes32 r, bytes32 s)")
def set_account(f: Frame, account: str, allowed: bool, r: bytes, s: bytes) -> None:
    id = _active_caller(f)
    if account == f.sender:
        raise Revert("OwnAccount", account)
    if account == NO_ADDRESS:
        raise Revert("ZeroValue")
    holder = organisation_of(f, account)
    if holder != (ZERO if allowed else id):
        raise Revert("AccountTaken", account, holder)
    _require_signed(f, id, "ledger-account", r, s, bytes.fromhex(account[2:]), int(allowed))
    o = member(f, id)
    f.put(NAME, "organisation", id, value=replace(o, key_nonce=o.key_nonce + 1))
    f.put(NAME, "account", account, value=(id, o.era) if allowed else (ZERO, 0))
    f.emit(NAME, "AccountSet", organisation=id, account=account, allowed=allowed)


@external(NAME, "ledgerId()")
def ledger_id(f: Frame) -> bytes:
    return f.facts.ledger_id


@external(NAME, "domain()")
def domain(f: Frame) -> bytes:
    return f.facts.domain(NAME)


@external(NAME, "name()")
def name(f: Frame) -> str:
    return f.facts.name


@external(NAME, "governance()")
def governance(_: Frame) -> dict[str, int]:
    return {"numerator": 1, "denominator": 2}


@external(NAME, "activeMembers()")
def active_members(f: Frame) -> int:
    return f.get(NAME, "active") or 0


@external(NAME, "organisation(bytes32 id)")
def organisation(f: Frame, id: bytes) -> dict[str, Any]:
    o = member(f, id)
    return {"status": o.status, "roles": o.roles, "x": o.x, "y": o.y, "nameDigest": o.name_digest, "joinedAt": o.joined_at}


@external(NAME, "keyOf(bytes32 id)")
def key_of(f: Frame, id: bytes) -> dict[str, Any]:
    o = member(f, id)
    return {"x": o.x, "y": o.y, "z": z_of(o.x, o.y) if o.key_nonce else ZERO, "nonce": o.key_nonce}


@external(NAME, "organisationOf(address account)")
def organisation_of(f: Frame, account: str) -> bytes:
    return seat_of(f, account)


@external(NAME, "statusOf(bytes32 id)")
def status_of(f: Frame, id: bytes) -> int:
    return member(f, id).status


@external(NAME, "memberOf(address account)")
def member_of(f: Frame, account: str) -> dict[str, Any]:
    id = organisation_of(f, account)
    o = member(f, id)
    return {"id": id, "status": o.status, "roles": o.roles}


@external(NAME, "proposalOf(uint256 proposal)")
def proposal_of(f: Frame, proposal: int) -> dict[str, Any]:
    p = _proposal(f, proposal)
    return {"action": p.action, "args": p.args, "expires": p.expires, "executed": p.executed, "voters": p.voters}


def _proposal(f: Frame, number: int) -> Proposal:
    found: Proposal | None = f.get(NAME, "proposal", number)
    if found is None:
        raise Revert("UnknownProposal", number)
    return found


def _vote(f: Frame, number: int, caller: bytes) -> None:
    p = _proposal(f, number)
    if p.executed or f.time >= p.expires:
        raise Revert("ProposalClosed", number)
    if caller in p.voters:
        raise Revert("AlreadyVoted", number, caller)
    voters = (*p.voters, caller)
    f.put(NAME, "proposal", number, value=replace(p, voters=voters))
    f.emit(NAME, "Voted", proposal=number, organisation=caller)
    agreed = sum(member(f, v).status == ACTIVE for v in voters)
    if agreed * 2 <= active_members(f):
        return
    f.put(NAME, "proposal", number, value=replace(p, voters=voters, executed=True))
    _execute(f, p.action, p.args)
    f.emit(NAME, "Executed", proposal=number)


def _execute(f: Frame, action: int, args: bytes) -> None:
    types, run = _ACTIONS[action]
    try:
        values = decode(types, args)
    except (DecodingError, OverflowError) as e:
        raise Revert from e
    run(f, *values)


def _invite(f: Frame, init: tuple[Any, ...]) -> None:
    id, name_digest, roles, x, y, account = init
    o = member(f, id)
    if o.status not in (NONE, LEFT, INVITED):
        raise Revert("WrongStatus", id, o.status)
    if id == ZERO or account == NO_ADDRESS:
        raise Revert("ZeroValue")
    holder = organisation_of(f, account)
    if holder not in (ZERO, id):
        raise Revert("AccountTaken", account, holder)
    _require_known(roles)
    f.put(NAME, "account", account, value=(id, o.era + 1))
    _write_key(f, id, replace(o, status=INVITED, roles=roles, name_digest=name_digest, era=o.era + 1), x, y)
    f.emit(NAME, "OrganisationInvited", organisation=id, nameDigest=name_digest, roles=roles, x=x, y=y, account=account)


def _activate(f: Frame, id: bytes) -> None:
    f.put(NAME, "organisation", id, value=replace(member(f, id), status=ACTIVE, joined_at=f.time))
    f.put(NAME, "active", value=active_members(f) + 1)
    f.emit(NAME, "OrganisationJoined", organisation=id, account=f.sender)


def _suspend(f: Frame, id: bytes) -> None:
    _require_status(f, id, ACTIVE)
    _drop_active(f, id)
    f.put(NAME, "organisation", id, value=replace(member(f, id), status=SUSPENDED))
    f.emit(NAME, "OrganisationSuspended", organisation=id)


def _restore(f: Frame, id: bytes) -> None:
    _require_status(f, id, SUSPENDED)
    f.put(NAME, "organisation", id, value=replace(member(f, id), status=ACTIVE))
    f.put(NAME, "active", value=active_members(f) + 1)
    f.emit(NAME, "OrganisationRestored", organisation=id)


def _expel(f: Frame, id: bytes) -> None:
    _remove(f, id, expelled=True)


def _remove(f: Frame, id: bytes, *, expelled: bool) -> None:
    o = member(f, id)
    if o.status == ACTIVE:
        _drop_active(f, id)
    elif o.status not in (SUSPENDED, INVITED):
        raise Revert("WrongStatus", id, o.status)
    f.put(NAME, "organisation", id, value=replace(o, status=LEFT))
    f.emit(NAME, "OrganisationLeft", organisation=id, expelled=expelled)


def _drop_active(f: Frame, id: bytes) -> None:
    if active_members(f) == 1:
        raise Revert("LastMember", id)
    f.put(NAME, "active", value=active_members(f) - 1)


def _set_roles(f: Frame, id: bytes, roles: int) -> None:
    o = member(f, id)
    if o.status == NONE:
        raise Revert("WrongStatus", id, o.status)
    _require_known(roles)
    f.put(NAME, "organisation", id, value=replace(o, roles=roles))
    f.emit(NAME, "RolesSet", organisation=id, roles=roles)


def _replace_key(f: Frame, id: bytes, x: bytes, y: bytes) -> None:
    if member(f, id).status == NONE:
        raise Revert("WrongStatus", id, NONE)
    _set_key(f, id, x, y)


def _set_key(f: Frame, id: bytes, x: bytes, y: bytes) -> None:
    nonce = _write_key(f, id, member(f, id), x, y)
    f.emit(NAME, "KeyRotated", organisation=id, x=x, y=y, nonce=nonce)


def _write_key(f: Frame, id: bytes, o: Organisation, x: bytes, y: bytes) -> int:
    if not is_key(x, y):
        raise Revert("KeyOffCurve", x, y)
    f.put(NAME, "organisation", id, value=replace(o, x=x, y=y, key_nonce=o.key_nonce + 1))
    return o.key_nonce + 1


def _call(f: Frame, target: str, data: bytes) -> None:
    """A call of another contract in the alliance's name."""
    names = {address: name for name, address in f.facts.addresses.items()}
    if target not in names:
        raise Revert("NoCode", target)
    methods = {m.selector: m for m in METHODS.get(names[target], {}).values()}
    method = methods.get(data[:4])
    if method is None:
        raise Revert
    with f.as_sender(f.facts.addresses[NAME]):
        method.run(f, *decode(method.types, data[4:]))


def _active_caller(f: Frame) -> bytes:
    id = seat_of(f, f.sender)
    if id == ZERO:
        raise Revert("NotAMember", f.sender)
    _require_status(f, id, ACTIVE)
    return id


def _require_status(f: Frame, id: bytes, expected: int) -> None:
    status = member(f, id).status
    if status != expected:
        raise Revert("WrongStatus", id, status)


def _require_signed(f: Frame, id: bytes, kind: str, r: bytes, s: bytes, *words: bytes | int) -> None:
    """r‖s over these words and the member's nonce is by its current SM2 key."""
    _require_said(f, id, kind, r, s, *words, member(f, id).key_nonce)


def _require_said(f: Frame, id: bytes, kind: str, r: bytes, s: bytes, *words: bytes | int) -> None:
    """r‖s over these words is by the member's current SM2 key."""
    o = member(f, id)
    message = pack(kind_word(f"healthtrust/{kind}/v1"), f.facts.domain(NAME), id, *words)
    if not verify(o.x, o.y, message, r, s)[0]:
        raise Revert("BadSignature")


def _require_known(roles: int) -> None:
    if roles & ~ALL_ROLES:
        raise Revert("UnknownRoles", roles)


_ACTIONS: dict[int, tuple[list[str], Any]] = {
    Action.INVITE: ([INIT], _invite),
    Action.SUSPEND: (["bytes32"], _suspend),
    Action.RESTORE: (["bytes32"], _restore),
    Action.EXPEL: (["bytes32"], _expel),
    Action.SET_ROLES: (["bytes32", "uint32"], _set_roles),
    Action.ROTATE_KEY: (["bytes32", "bytes32", "bytes32"], _replace_key),
    Action.EXECUTE: (["address", "bytes"], _call),
}
