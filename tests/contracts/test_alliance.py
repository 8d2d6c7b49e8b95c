"""Who is a member is decided by more than half of the active members, and the registry freezes for all."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account

from core import crypto
from tests.contracts.lab import (
    ALL_ROLES,
    EXECUTE,
    EXPEL,
    INVITE,
    RESTORE,
    ROTATE_KEY,
    SET_ROLES,
    SUSPEND,
    Lab,
    Organisation,
    Person,
    halves,
    new_organisation,
    rs,
)  # fmt: skip

pytestmark = pytest.mark.node
ACTIVE, SUSPENDED, LEFT, INVITED = 1, 2, 3, 4


def status(lab: Lab, organisation: Organisation) -> int:
    return int(lab.read("Alliance", "statusOf", id=organisation.id))


def grown(lab: Lab, size: int) -> list[Organisation]:
    """An alliance of ``size`` active members."""
    members = [lab.first]
    for n in range(1, size):
        made = new_organisation(f"MEMBER-{n}")
        init = (made.id, crypto.sm3(b"name"), ALL_ROLES, made.pair.public[:32], made.pair.public[32:], made.account.address)
        voted(lab, members, INVITE, ["(bytes32,bytes32,uint32,bytes32,bytes32,address)"], [init])
        lab.send("Alliance", "join", made.account, organisation=made.id)
        members.append(made)
    return members


def voted(lab: Lab, members: list[Organisation], action: int, types: list[str], values: list[Any]) -> int:
    """A proposal that as many members vote for as are needed."""
    proposal = lab.propose(action, types, values)
    for voter in members[1:]:
        if lab.read("Alliance", "proposalOf", proposal=proposal)["executed"]:
            break
        lab.send("Alliance", "vote", voter.account, **lab.vote(proposal, voter))
    assert lab.read("Alliance", "proposalOf", proposal=proposal)["executed"]
    return proposal


def test_the_first_member_and_the_ledger_id(lab: Lab) -> None:
    assert lab.read("Alliance", "name") == "测试联盟"
    assert lab.read("Alliance", "organisationOf", account=lab.first.account.address) == lab.first.id
    held = lab.read("Alliance", "organisation", id=lab.first.id)
    assert (held["status"], held["roles"], held["x"] + held["y"]) == (ACTIVE, ALL_ROLES, lab.first.pair.public)
    assert lab.read("Alliance", "governance") == {"numerator": 1, "denominator": 2}


def test_invited_is_not_yet_a_member(fresh: Lab) -> None:
    other = fresh.invite("OTHER")
    assert status(fresh, other) == INVITED
    assert fresh.reason("Alliance", "propose", other.account, **fresh.proposal(SUSPEND, fresh.first.id, other)) == "WrongStatus"
    assert fresh.reason("Evidence", "record", other.account, kind=b"x".ljust(32), digest=secrets.token_bytes(32)) == "NotActive"
    assert fresh.reason("Alliance", "join", Account.create(), organisation=other.id) == "NotAMember"
    assert fresh.reason("Alliance", "join", Account.create(), organisation=bytes(32)) == "NotAMember"
    fresh.send("Alliance", "join", other.account, organisation=other.id)
    assert (status(fresh, other), fresh.read("Alliance", "activeMembers")) == (ACTIVE, 2)
    assert fresh.reason("Alliance", "join", other.account, organisation=other.id) == "WrongStatus"


def test_a_new_invitation_lets_go_of_the_accounts_before_it(fresh: Lab) -> None:
    """An invitation to a wrong account is corrected by another one; a member that left comes back without its old accounts."""
    wrong = fresh.invite("OTHER")
    right = fresh.invite("OTHER")
    assert fresh.reason("Alliance", "join", wrong.account, organisation=wrong.id) == "NotAMember"
    fresh.send("Alliance", "join", right.account, organisation=right.id)
    fresh.send("Alliance", "setAccount", right.account, **fresh.account_change(wrong.account.address, by=right))
    fresh.send("Alliance", "leave", right.account, **fresh.said("alliance-leave", right))
    back = fresh.invite("OTHER")
    fresh.send("Alliance", "join", back.account, organisation=back.id)
    for old in (wrong, right):
        assert fresh.read("Alliance", "organisationOf", account=old.account.address) == bytes(32)
        assert fresh.reason("Alliance", "leave", old.account, **fresh.said("alliance-leave", back)) == "NotAMember"


@pytest.mark.parametrize(("members", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_strictly_more_than_half(fresh: Lab, members: int, needed: int) -> None:
    all_ = grown(fresh, members)
    proposal = fresh.propose(SET_ROLES, ["bytes32", "uint32"], [all_[-1].id, 1])
    for votes, voter in enumerate(all_[1:], 1):
        assert fresh.read("Alliance", "proposalOf", proposal=proposal)["executed"] == (votes >= needed)
        if votes < needed:
            fresh.send("Alliance", "vote", voter.account, **fresh.vote(proposal, voter))
    assert fresh.read("Alliance", "proposalOf", proposal=proposal)["executed"]
    assert fresh.read("Alliance", "organisation", id=all_[-1].id)["roles"] == 1


def test_one_vote_a_member_and_none_for_others(fresh: Lab) -> None:
    members = grown(fresh, 4)
    proposal = fresh.propose(SUSPEND, ["bytes32"], [members[3].id])
    second = Account.create()
    fresh.send("Alliance", "setAccount", **fresh.account_change(second.address))
    assert fresh.reason("Alliance", "vote", second, **fresh.vote(proposal)) == "AlreadyVoted"
    assert fresh.reason("Alliance", "vote", Account.create(), **fresh.vote(proposal)) == "NotAMember"
    assert fresh.reason("Alliance", "vote", proposal=99, **rs(bytes(64))) == "UnknownProposal"
    fresh.send("Alliance", "vote", members[1].account, **fresh.vote(proposal, members[1]))
    fresh.send("Alliance", "vote", members[2].account, **fresh.vote(proposal, members[2]))
    assert status(fresh, members[3]) == SUSPENDED
    assert fresh.reason("Alliance", "vote", members[1].account, **fresh.vote(proposal, members[1])) == "ProposalClosed"
    assert (
        fresh.reason("Alliance", "propose", members[3].account, **fresh.proposal(RESTORE, members[3].id, members[3]))
        == "WrongStatus"
    )


def test_votes_of_members_who_lost_their_seat_do_not_count(fresh: Lab) -> None:
    members = grown(fresh, 5)
    args = members[4].id
    proposal = fresh.propose(SUSPEND, ["bytes32"], [args])
    fresh.send("Alliance", "vote", members[1].account, **fresh.vote(proposal, members[1]))
    voted(fresh, [members[0], members[2], members[3]], EXPEL, ["bytes32"], [members[1].id])
    assert status(fresh, members[1]) == LEFT
    # Four are active; the first and the expelled one voted: one vote counts, a second is not yet more than half, a third is.
    fresh.send("Alliance", "vote", members[2].account, **fresh.vote(proposal, members[2]))
    assert status(fresh, members[4]) == ACTIVE
    fresh.send("Alliance", "vote", members[3].account, **fresh.vote(proposal, members[3]))
    assert status(fresh, members[4]) == SUSPENDED


def test_a_proposal_ends_after_thirty_days(fresh: Lab) -> None:
    members = grown(fresh, 2)
    proposal = fresh.propose(SUSPEND, ["bytes32"], [members[1].id])
    fresh.wait(30 * 86400)
    assert fresh.reason("Alliance", "vote", members[1].account, **fresh.vote(proposal, members[1])) == "ProposalClosed"


def test_suspended_members_write_nothing_and_come_back(fresh: Lab) -> None:
    members = grown(fresh, 3)
    other = members[2]
    voted(fresh, members, SUSPEND, ["bytes32"], [other.id])
    assert (
        fresh.reason("DataIndex", "anchorBatch", other.account, root=b"r" * 32, firstSequence=0, count=1, previousRoot=bytes(32))
        == "NotActive"
    )
    leaving = fresh.said("alliance-leave", other)
    assert fresh.reason("Alliance", "leave", other.account, **leaving) == "WrongStatus"
    voted(fresh, members, RESTORE, ["bytes32"], [other.id])
    fresh.send("DataIndex", "anchorBatch", other.account, root=b"r" * 32, firstSequence=0, count=1, previousRoot=bytes(32))
    fresh.send("Alliance", "leave", other.account, **leaving)
    assert status(fresh, other) == LEFT


def test_the_last_member_stays(lab: Lab) -> None:
    assert lab.reason("Alliance", "leave", **lab.said("alliance-leave")) == "LastMember"
    for action in (SUSPEND, EXPEL):
        with pytest.raises(AssertionError, match="LastMember"):
            lab.propose(action, ["bytes32"], [lab.first.id])


def test_a_key_is_rotated_by_the_old_key_not_by_the_account(fresh: Lab) -> None:
    new, thief = crypto.sm2_generate(), crypto.sm2_generate()
    assert fresh.reason("Alliance", "rotateKey", **fresh.rotation(thief, signer=thief)) == "BadSignature"
    used, before = fresh.rotation(new), fresh.read("Alliance", "keyOf", id=fresh.first.id)["nonce"]
    fresh.send("Alliance", "rotateKey", **used)
    held = fresh.read("Alliance", "keyOf", id=fresh.first.id)
    assert (held["x"] + held["y"], held["nonce"]) == (new.public, before + 1)
    assert fresh.reason("Alliance", "rotateKey", **used) == "BadSignature"
    assert fresh.reason("Alliance", "rotateKey", **{**fresh.rotation(thief, signer=new), "x": bytes(32)}) == "BadSignature"
    decided = ["bytes32", "bytes32", "bytes32"], [fresh.first.id, *halves(thief.public)]
    args = fresh.proposal(ROTATE_KEY, encode(*decided), signer=thief)
    assert fresh.reason("Alliance", "propose", **args) == "BadSignature"
    fresh.propose(ROTATE_KEY, *decided, signer=new)
    assert fresh.read("Alliance", "keyOf", id=fresh.first.id)["x"] == thief.public[:32]


def test_accounts(fresh: Lab) -> None:
    other = grown(fresh, 2)[1]
    extra = Account.create()
    assert fresh.reason("Alliance", "setAccount", **fresh.account_change(fresh.first.account.address, False)) == "OwnAccount"
    assert fresh.reason("Alliance", "setAccount", **fresh.account_change("0x" + "00" * 20)) == "ZeroValue"
    assert fresh.reason("Alliance", "setAccount", **fresh.account_change(other.account.address)) == "AccountTaken"
    assert fresh.reason("Alliance", "setAccount", **fresh.account_change(other.account.address, False)) == "AccountTaken"
    fresh.send("Alliance", "setAccount", **fresh.account_change(extra.address))
    assert fresh.read("Alliance", "memberOf", account=extra.address) == {"id": fresh.first.id, "status": 1, "roles": ALL_ROLES}
    fresh.send("Alliance", "setAccount", extra, **fresh.account_change(fresh.first.account.address, False))
    leaving = fresh.said("alliance-leave")
    assert fresh.reason("Alliance", "leave", fresh.first.account, **leaving) == "NotAMember"


def test_an_account_alone_neither_multiplies_nor_leaves(fresh: Lab) -> None:
    """The thief of a member's ledger account has no SM2 key of the member."""
    member = grown(fresh, 2)[1]
    account, thief = Account.create().address, crypto.sm2_generate()
    allowed = fresh.account_change(account, by=member)
    forged = (
        fresh.account_change(account, by=member, signer=thief),
        {**allowed, "account": Account.create().address},
        fresh.account_change(account, by=fresh.first),
    )
    for args in forged:
        assert fresh.reason("Alliance", "setAccount", member.account, **args) == "BadSignature"
    for said in (fresh.said("alliance-leave", member, thief), fresh.said("alliance-leave"), rs(bytes(64))):
        assert fresh.reason("Alliance", "leave", member.account, **said) == "BadSignature"
    fresh.send("Alliance", "setAccount", member.account, **allowed)
    assert fresh.reason("Alliance", "setAccount", member.account, **{**allowed, "allowed": False}) == "BadSignature"
    fresh.send("Alliance", "setAccount", member.account, **fresh.account_change(account, False, by=member))
    assert fresh.reason("Alliance", "setAccount", member.account, **allowed) == "BadSignature"  # once: the nonce has moved


def test_stolen_accounts_are_no_majority(fresh: Lab) -> None:
    """Neither the only member's account nor two of three decide anything without the members' SM2 keys."""
    thief, taken = (
        crypto.sm2_generate(),
        encode(["bytes32", "bytes32", "bytes32"], [fresh.first.id, *halves(Person().pair.public)]),
    )
    for args in (fresh.proposal(ROTATE_KEY, taken, signer=thief), {"action": ROTATE_KEY, "args": taken, **rs(bytes(64))}):
        assert fresh.reason("Alliance", "propose", **args) == "BadSignature"
    members = grown(fresh, 3)
    used = fresh.proposal(SUSPEND, members[2].id)
    for change in ({"action": EXPEL}, {"args": members[1].id}):
        assert fresh.reason("Alliance", "propose", **{**used, **change}) == "BadSignature"
    assert fresh.reason("Alliance", "propose", members[1].account, **used) == "BadSignature"
    fresh.send("Alliance", "propose", **used)
    assert fresh.reason("Alliance", "propose", **used) == "BadSignature"  # once: the nonce has moved
    first = int(fresh.send("Alliance", "propose", **fresh.proposal(EXPEL, members[2].id))[0][1]["proposal"])
    for said in (
        fresh.vote(first, members[1], thief),
        fresh.vote(first),
        {**fresh.vote(first - 1, members[1]), "proposal": first},
    ):
        assert fresh.reason("Alliance", "vote", members[1].account, **said) == "BadSignature"
    assert status(fresh, members[2]) == ACTIVE


def test_only_the_alliance_touches_the_registry(lab: Lab) -> None:
    name = b"Consent".ljust(32, b"\0")
    assert lab.reason("Registry", "publish", name=name, target=lab.addresses["Consent"], version=2) == "OnlyAlliance"
    assert lab.reason("Registry", "freeze", name=name) == "OnlyAlliance"
    assert lab.reason("Registry", "thaw", name=name) == "OnlyAlliance"


def test_registry_lists_what_was_deployed(lab: Lab) -> None:
    listed = {e["name"].rstrip(b"\0").decode(): (e["target"].lower(), e["version"]) for e in lab.read("Registry", "all")}
    assert listed == {name: (address.lower(), 1) for name, address in lab.deployed["contracts"].items()}


def test_versions_only_grow(fresh: Lab) -> None:
    target = fresh.addresses["Evidence"]
    for version, error in ((1, "VersionNotAbove"), (0, "VersionNotAbove")):
        with pytest.raises(AssertionError, match=error):
            fresh.govern("publish", "bytes32,address,uint32", b"Evidence", target, version)
    with pytest.raises(AssertionError, match="NoCode"):
        fresh.govern("publish", "bytes32,address,uint32", b"Evidence", "0x" + "22" * 20, 2)
    with pytest.raises(AssertionError, match="NoCode"):
        fresh.propose(EXECUTE, ["address", "bytes"], ["0x" + "22" * 20, b""])
    fresh.govern("publish", "bytes32,address,uint32", b"Evidence", fresh.addresses["Schema"], 2)
    assert fresh.read("Registry", "addressOf", name=b"Evidence".ljust(32, b"\0")).lower() == fresh.addresses["Schema"].lower()


def test_a_frozen_contract_refuses_all_but_a_residents_no(fresh: Lab) -> None:
    resident = fresh.resident()
    consent = fresh.grant(resident)
    fresh.govern("freeze", "bytes32", b"Consent")
    args = fresh.granting(resident, secrets.token_bytes(32), secrets.token_bytes(32))
    assert fresh.reason("Consent", "grant", **args) == "ContractFrozen"
    assert fresh.reason("Consent", "spend", consent=consent, preimage=bytes(32)) == "ContractFrozen"
    query = {"consent": consent, "requester": bytes(32), "requesterOrganisation": bytes(32), "custodian": bytes(32)}
    with pytest.raises(AssertionError, match="ContractFrozen"):
        fresh.read("Consent", "statesOf", queries=[query])
    fresh.send("Consent", "revoke", **fresh.revoking(resident, consent))
    fresh.govern("thaw", "bytes32", b"Consent")
    fresh.grant(resident)
    with pytest.raises(AssertionError, match="WrongState"):
        fresh.govern("thaw", "bytes32", b"Consent")
    with pytest.raises(AssertionError, match="UnknownName"):
        fresh.govern("freeze", "bytes32", b"Nothing")


def test_only_an_active_registrar_attests(fresh: Lab) -> None:
    members = grown(fresh, 3)
    fresh.send("Identity", "bindKey", **fresh.binding(Person(), members[2]))
    voted(fresh, members, SET_ROLES, ["bytes32", "uint32"], [members[2].id, ALL_ROLES & ~4])
    assert fresh.reason("Identity", "bindKey", **fresh.binding(Person(), members[2])) == "NotRegistrar"
    voted(fresh, members, SUSPEND, ["bytes32"], [members[1].id])
    assert fresh.reason("Identity", "bindKey", **fresh.binding(Person(), members[1])) == "NotRegistrar"
    with pytest.raises(AssertionError, match="UnknownRoles"):
        voted(fresh, [members[0], members[2]], SET_ROLES, ["bytes32", "uint32"], [members[2].id, 32])
