"""C030 – C049: members, votes, freezing."""

from __future__ import annotations

import secrets

from core import crypto
from core.messages import OrganisationKey, OrganisationLeave
from gateway.ledger import actions, membership
from gateway.ledger.membership import set_account
from gateway.ledger.port import Call
from tests.conformance.refusals import name_of, refused, with_args
from tests.support.world import CUSTODIAN, READER, Organisation, World, grant_call, invitation

ACTIVE, SUSPENDED, LEFT, INVITED = 1, 2, 3, 4


def status(world: World, member: Organisation) -> int:
    found: int = world.ledger.read(Call("Alliance", "statusOf", {"id": member.id}))
    return found


def newcomer(world: World) -> Organisation:
    made = Organisation(f"TEST-{secrets.token_hex(4)}", CUSTODIAN | READER)
    made.ledger = world.open(made.key)
    return made


def decide(world: World, call: Call, *voters: Organisation) -> None:
    """Proposed by the first, agreed to by the others."""
    outcome = world.send((voters[0], call))[0]
    number = next(e.args["proposal"] for e in outcome.events if e.name == "Proposed")
    for voter in voters[1:]:
        world.send((voter, actions.vote(number)))


def test_c030_a_world_has_its_members(common: World) -> None:
    for member in common.organisations:
        found = common.ledger.read(Call("Alliance", "organisation", {"id": member.id}))
        assert (found["status"], found["roles"]) == (ACTIVE, member.roles)
        assert found["x"] + found["y"] == member.sm2.public
        key = common.ledger.read(Call("Alliance", "keyOf", {"id": member.id}))
        assert key["z"] == crypto.sm3(bytes.fromhex("0080") + b"1234567812345678" + _curve() + member.sm2.public)


def _curve() -> bytes:
    from core.crypto import encoding

    return b"".join(v.to_bytes(32, "big") for v in (encoding.A, encoding.B, encoding.GX, encoding.GY))


def test_c031_one_of_three_cannot_invite_two_can(fresh: World) -> None:
    member = newcomer(fresh)
    number = fresh.send((fresh.operator, invitation(member)))[0].events[0].args["proposal"]
    assert status(fresh, member) == 0
    assert fresh.ledger.read(Call("Alliance", "proposalOf", {"proposal": number}))["executed"] is False
    outcome = fresh.send((fresh.hospital, actions.vote(number)))[0]
    assert [e.name for e in outcome.events] == ["Voted", "OrganisationInvited", "Executed"]
    assert status(fresh, member) == INVITED
    fresh.send((member, Call("Alliance", "join", {"organisation": member.id})))
    assert status(fresh, member) == ACTIVE
    assert fresh.ledger.read(Call("Alliance", "activeMembers")) == 4


def test_c032_nobody_votes_twice_or_on_what_is_closed_or_unknown(fresh: World) -> None:
    number = fresh.send((fresh.operator, invitation(newcomer(fresh))))[0].events[0].args["proposal"]
    assert name_of(refused(fresh, fresh.operator, actions.vote(number))) == "AlreadyVoted"
    assert refused(fresh, fresh.operator, actions.vote(number + 1)) == f"UnknownProposal({number + 1})"
    fresh.send((fresh.hospital, actions.vote(number)))
    assert refused(fresh, fresh.platform, actions.vote(number)) == f"ProposalClosed({number})"


def test_c033_strangers_neither_propose_nor_join(common: World) -> None:
    stranger = newcomer(common)
    assert refused(common, stranger, invitation(stranger)) == f"NotAMember({stranger.account})"
    assert name_of(refused(common, stranger, Call("Alliance", "join", {"organisation": common.hospital.id}))) == "NotAMember"
    assert name_of(refused(common, stranger, Call("Alliance", "join", {"organisation": bytes(32)}))) == "NotAMember"


def test_c034_joining_twice_is_refused(common: World) -> None:
    again = Call("Alliance", "join", {"organisation": common.hospital.id})
    assert refused(common, common.hospital, again) == f"WrongStatus(0x{common.hospital.id.hex()}, {ACTIVE})"


def test_c035_a_suspended_member_can_do_nothing_until_restored(fresh: World) -> None:
    decide(fresh, actions.suspend(fresh.hospital.id), fresh.operator, fresh.platform)
    assert status(fresh, fresh.hospital) == SUSPENDED
    assert refused(fresh, fresh.hospital, fresh.batch(fresh.hospital, b"\1" * 32, 1)) == f"NotActive(0x{fresh.hospital.id.hex()})"
    assert name_of(refused(fresh, fresh.hospital, actions.restore(fresh.hospital.id))) == "WrongStatus"
    decide(fresh, actions.restore(fresh.hospital.id), fresh.operator, fresh.platform)
    fresh.anchor(fresh.hospital, b"\1" * 32, 1)


def test_c036_an_expelled_member_has_left_and_may_be_invited_again(fresh: World) -> None:
    decide(fresh, actions.expel(fresh.hospital.id), fresh.operator, fresh.platform)
    assert status(fresh, fresh.hospital) == LEFT
    decide(fresh, invitation(fresh.hospital), fresh.operator, fresh.platform)
    assert status(fresh, fresh.hospital) == INVITED


def test_c037_a_member_leaves_but_never_the_last(fresh: World) -> None:
    assert refused(fresh, fresh.hospital, leaving(fresh, fresh.hospital, fresh.platform)) == "BadSignature"
    fresh.send((fresh.hospital, leaving(fresh, fresh.hospital)))
    fresh.send((fresh.platform, leaving(fresh, fresh.platform)))
    assert name_of(refused(fresh, fresh.operator, leaving(fresh, fresh.operator))) == "LastMember"
    assert name_of(refused(fresh, fresh.hospital, leaving(fresh, fresh.hospital))) == "WrongStatus"


def leaving(world: World, member: Organisation, signer: Organisation | None = None) -> Call:
    nonce = world.ledger.read(Call("Alliance", "keyOf", {"id": member.id}))["nonce"]
    said = OrganisationLeave(world.domain("Alliance"), member.id, nonce).pack()
    signature = crypto.sm2_sign((signer or member).sm2.private, said)
    return Call("Alliance", "leave", {"r": signature[:32], "s": signature[32:]})


def test_c038_a_member_names_and_withdraws_accounts_of_its_own(fresh: World) -> None:
    other = newcomer(fresh)
    allow = accounted(fresh, fresh.hospital, other.account, True)
    fresh.send((fresh.hospital, allow))
    assert fresh.ledger.read(Call("Alliance", "memberOf", {"account": other.account}))["id"] == fresh.hospital.id
    assert name_of(refused(fresh, fresh.platform, allow)) == "AccountTaken"
    deny = accounted(fresh, fresh.hospital, other.account, False)
    assert name_of(refused(fresh, fresh.platform, deny)) == "AccountTaken"
    fresh.send((other, fresh.batch(fresh.hospital, b"\1" * 32, 1)))
    fresh.send((fresh.hospital, deny))
    assert refused(fresh, other, fresh.batch(fresh.hospital, b"\2" * 32, 1)) == f"NotAMember({other.account})"


def accounted(world: World, member: Organisation, account: str, allowed: bool, signer: Organisation | None = None) -> Call:
    return set_account(world.ledger, member.id, (signer or member).sm2.private, account, allowed)


def test_c039_nobody_withdraws_the_account_it_speaks_from(common: World) -> None:
    own = accounted(common, common.hospital, common.hospital.account, False)
    assert refused(common, common.hospital, own) == f"OwnAccount({common.hospital.account})"
    nobody = accounted(common, common.hospital, "0x" + "00" * 20, True)
    assert refused(common, common.hospital, nobody) == "ZeroValue"


def test_c150_a_stolen_account_makes_no_others(fresh: World) -> None:
    thief, member = newcomer(fresh), fresh.hospital
    forged = accounted(fresh, member, thief.account, True, signer=thief)
    assert refused(fresh, member, forged) == "BadSignature"
    allow = accounted(fresh, member, thief.account, True)
    fresh.send((member, allow))
    turned = Call("Alliance", "setAccount", {**allow.args, "allowed": False})
    assert refused(fresh, member, turned) == "BadSignature"
    fresh.send((member, accounted(fresh, member, thief.account, False)))
    assert refused(fresh, member, allow) == "BadSignature"


def test_c151_a_new_invitation_lets_go_of_the_accounts_before_it(fresh: World) -> None:
    member, other = fresh.hospital, newcomer(fresh)
    fresh.send((member, accounted(fresh, member, other.account, True)))
    decide(fresh, actions.expel(member.id), fresh.operator, fresh.platform)
    back = newcomer(fresh)
    again = actions.invite(member.id, crypto.sm3(b"again"), member.roles, member.sm2.public, back.account)
    decide(fresh, again, fresh.operator, fresh.platform)
    fresh.send((back, Call("Alliance", "join", {"organisation": member.id})))
    for old in (member, other):
        assert fresh.ledger.read(Call("Alliance", "organisationOf", {"account": old.account})) == bytes(32)
        assert refused(fresh, old, fresh.batch(member, b"\1" * 32, 1)) == f"NotAMember({old.account})"


def test_c153_stolen_accounts_are_no_majority(fresh: World) -> None:
    """What is proposed or voted for without the member's SM2 key, or signed for something else, decides nothing."""
    thief, member = newcomer(fresh), fresh.hospital
    call = actions.expel(member.id)
    forged = membership.signed(fresh.ledger, fresh.operator.id, thief.sm2.private, call)
    assert refused(fresh, fresh.operator, forged) == "BadSignature"
    said = fresh.signed(fresh.operator, call)
    assert refused(fresh, fresh.platform, said) == "BadSignature"
    assert refused(fresh, fresh.operator, with_args(said, action=int(actions.Action.SUSPEND))) == "BadSignature"
    number = fresh.send((fresh.operator, said))[0].events[0].args["proposal"]
    assert refused(fresh, fresh.operator, said) == "BadSignature"
    vote = actions.vote(number)
    for wrong in (
        fresh.signed(fresh.operator, vote),
        membership.signed(fresh.ledger, fresh.platform.id, thief.sm2.private, vote),
    ):
        assert refused(fresh, fresh.platform, wrong) == "BadSignature"
    assert status(fresh, member) == ACTIVE


def test_c154_a_vote_serves_for_the_proposal_it_names(fresh: World) -> None:
    calls = (actions.suspend(fresh.hospital.id), actions.expel(fresh.hospital.id))
    first, second = (fresh.send((fresh.operator, c))[0].events[0].args["proposal"] for c in calls)
    said = fresh.signed(fresh.platform, actions.vote(first))
    assert refused(fresh, fresh.platform, with_args(said, proposal=second)) == "BadSignature"
    fresh.send((fresh.platform, said))
    assert status(fresh, fresh.hospital) == SUSPENDED


def test_c040_roles_are_set_by_vote_and_only_known_ones(fresh: World) -> None:
    decide(fresh, actions.set_roles(fresh.hospital.id, READER), fresh.operator, fresh.platform)
    refusal = refused(fresh, fresh.hospital, fresh.batch(fresh.hospital, b"\1" * 32, 1))
    assert refusal == f"RoleMissing(0x{fresh.hospital.id.hex()}, {CUSTODIAN})"
    number = fresh.send((fresh.operator, actions.set_roles(fresh.hospital.id, 32)))[0].events[0].args["proposal"]
    assert refused(fresh, fresh.platform, actions.vote(number)) == "UnknownRoles(32)"


def rotation(world: World, member: Organisation, new: bytes, signer: bytes) -> Call:
    nonce = world.ledger.read(Call("Alliance", "keyOf", {"id": member.id}))["nonce"]
    signature = crypto.sm2_sign(signer, OrganisationKey(world.domain("Alliance"), member.id, new, nonce).pack())
    return Call("Alliance", "rotateKey", {"x": new[:32], "y": new[32:], "r": signature[:32], "s": signature[32:]})


def test_c041_a_key_is_rotated_by_the_old_key_once(fresh: World) -> None:
    member, new = fresh.hospital, crypto.sm2_generate()
    call = rotation(fresh, member, new.public, member.sm2.private)
    outcome = fresh.send((member, call))[0]
    assert [(e.name, e.args["nonce"]) for e in outcome.events] == [("KeyRotated", 2)]
    assert refused(fresh, member, call) == "BadSignature"
    assert refused(fresh, member, rotation(fresh, member, member.sm2.public, member.sm2.private)) == "BadSignature"
    fresh.send((member, rotation(fresh, member, member.sm2.public, new.private)))


def test_c042_a_key_off_the_curve_is_no_key(common: World) -> None:
    call = rotation(common, common.hospital, b"\1" * 64, common.hospital.sm2.private)
    assert name_of(refused(common, common.hospital, call)) == "KeyOffCurve"


def test_c043_a_key_can_be_replaced_by_vote(fresh: World) -> None:
    new = crypto.sm2_generate()
    decide(fresh, actions.rotate_key(fresh.hospital.id, new.public), fresh.operator, fresh.platform)
    found = fresh.ledger.read(Call("Alliance", "organisation", {"id": fresh.hospital.id}))
    assert found["x"] + found["y"] == new.public


def test_c044_the_registry_lists_every_duty(common: World) -> None:
    listed = {e["name"].rstrip(b"\0").decode(): e["target"] for e in common.ledger.read(Call("Registry", "all"))}
    assert listed == common.ledger.info().contracts
    name = b"Consent".ljust(32, b"\0")
    assert common.ledger.read(Call("Registry", "addressOf", {"name": name})) == listed["Consent"]


def test_c045_only_the_alliance_publishes_and_freezes(common: World) -> None:
    name = b"Consent".ljust(32, b"\0")
    target = common.ledger.info().contracts["Consent"]
    publish = Call("Registry", "publish", {"name": name, "target": target, "version": 2})
    for call in (publish, Call("Registry", "freeze", {"name": name}), Call("Registry", "thaw", {"name": name})):
        assert refused(common, common.operator, call) == f"OnlyAlliance({common.operator.account})"


def test_c046_a_frozen_contract_refuses_grants_and_decisions_but_not_revocations(fresh: World) -> None:
    resident, doctor = fresh.resident(), fresh.practitioner(fresh.hospital)
    consent = fresh.grant(resident, fresh.scope(resident, doctor))
    registry = fresh.ledger.info().contracts["Registry"]
    decide(fresh, actions.freeze(registry, "Consent"), fresh.operator, fresh.platform)
    more = fresh.sign(resident, fresh.scope(resident, doctor))
    assert refused(fresh, fresh.operator, grant_call(more)) == "ContractFrozen"
    request = fresh.request(resident, doctor, fresh.platform)
    args = {"request": request, "consent": consent.consent, "scopeWords": consent.scope.words(), "salt": consent.salt}
    assert fresh.refusal(fresh.operator, Call("Consent", "decide", {**args, "time": fresh.now()})) == "ContractFrozen"
    asked = {
        "queries": [
            {"consent": consent.consent, "requester": doctor.id, "requesterOrganisation": bytes(32), "custodian": bytes(32)}
        ]
    }
    assert fresh.refusal(fresh.operator, Call("Consent", "statesOf", asked)) == "ContractFrozen"
    fresh.revoke(resident, consent.consent)
    decide(fresh, actions.thaw(registry, "Consent"), fresh.operator, fresh.platform)
    assert fresh.decide(request, consent)["reason"] == 8


def test_c047_freezing_twice_or_the_unknown_is_refused(fresh: World) -> None:
    registry = fresh.ledger.info().contracts["Registry"]
    decide(fresh, actions.freeze(registry, "Schema"), fresh.operator, fresh.platform)
    for call, error in ((actions.freeze(registry, "Schema"), "WrongState"), (actions.freeze(registry, "Nothing"), "UnknownName")):
        number = fresh.send((fresh.operator, call))[0].events[0].args["proposal"]
        assert name_of(refused(fresh, fresh.platform, actions.vote(number))) == error


def test_c048_versions_only_grow(fresh: World) -> None:
    contracts = fresh.ledger.info().contracts
    call = actions.publish(contracts["Registry"], "Schema", contracts["Schema"], 1)
    number = fresh.send((fresh.operator, call))[0].events[0].args["proposal"]
    assert name_of(refused(fresh, fresh.platform, actions.vote(number))) == "VersionNotAbove"
    decide(fresh, actions.publish(contracts["Registry"], "Schema", contracts["Schema"], 2), fresh.operator, fresh.platform)
    listed = {e["name"].rstrip(b"\0"): e["version"] for e in fresh.ledger.read(Call("Registry", "all"))}
    assert listed[b"Schema"] == 2


def test_c049_the_alliance_calls_nothing_where_no_contract_is(fresh: World) -> None:
    call = actions.publish("0x" + "12" * 20, "Schema", "0x" + "12" * 20, 9)
    number = fresh.send((fresh.operator, call))[0].events[0].args["proposal"]
    assert refused(fresh, fresh.platform, actions.vote(number)) == f"NoCode(0x{'12' * 20})"
