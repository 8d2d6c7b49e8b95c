"""Members, document types and evidence."""

from __future__ import annotations

from typing import Any

import pytest

from core import crypto
from core.hexes import to_bytes, to_hex
from core.ids import organisation_id, schema_id
from core.messages import AllianceProposal, AllianceVote
from gateway.client import GatewayProblem
from gateway.ledger import actions
from gateway.ledger.port import Call
from tests.gateway.house import House
from tests.support.world import Organisation, invitation


def test_members_are_those_of_the_ledger_with_their_own_words_checked(house: House) -> None:
    world = house.world
    own = house.as_organisation(world.hospital)
    own.set_organisation_profile(world.hospital.code, world.hospital.code, "http://gate.test:8092")
    for code, name in (("TEST-OTHER", world.hospital.code), (world.hospital.code, "别的医院")):
        with pytest.raises(GatewayProblem, match="profile_mismatch"):
            own.set_organisation_profile(code, name)
    found = {o.id: o for o in house.as_resident(world.resident()).organisations()}
    assert set(found) == {to_hex(o.id) for o in world.organisations}
    hospital = found[to_hex(world.hospital.id)]
    assert (hospital.name, hospital.gate, hospital.active, hospital.custodian) == (
        world.hospital.code,
        "http://gate.test:8092",
        True,
        True,
    )
    assert hospital.publicKey == to_hex(world.hospital.sm2.public)
    assert not found[to_hex(world.operator.id)].custodian
    assert own.alliance().activeMembers == 3


def test_a_new_member_is_proposed_voted_for_and_joins(house: House) -> None:
    world = house.world
    newcomer = Organisation("TEST-NEW", 1)
    newcomer.ledger = world.open(newcomer.key)
    body = {
        "code": newcomer.code,
        "name": newcomer.code,
        "roles": ["custodian"],
        "publicKey": to_hex(newcomer.sm2.public),
        "account": newcomer.account,
    }
    operator = house.as_organisation(world.operator)
    for said_by, error in ((world.hospital, "not_our_organisation"), (newcomer, "bad_signature")):
        caller = house.as_organisation(world.hospital) if said_by is world.hospital else operator
        with pytest.raises(GatewayProblem, match=error):
            caller.call("POST", "/organisations", body=body | {"signature": proposed(house, invitation(newcomer), said_by)})
    made = operator.call("POST", "/organisations", body=body | {"signature": proposed(house, invitation(newcomer))})
    assert operator.operation(made["operation"]["id"], wait=5).state == "succeeded"
    ledger = world.ledger
    opened = [e for block in ledger.events(0, ledger.head().height) for e in block if e.name == "Proposed"][-1]
    world.send((world.platform, actions.vote(opened.args["proposal"])))
    world.send((newcomer, Call("Alliance", "join", {"organisation": newcomer.id})))
    assert operator.call("GET", f"/organisations/{to_hex(organisation_id('TEST-NEW'))}")["status"] == "active"
    moved = {"action": "suspend", "signature": proposed(house, actions.suspend(newcomer.id))}
    suspended = operator.call("POST", f"/organisations/{to_hex(newcomer.id)}/proposals", body=moved)
    assert operator.operation(suspended["operation"]["id"], wait=5).state == "succeeded"
    newcomer.ledger.close()


def proposed(house: House, call: Call, by: Organisation | None = None) -> str:
    """The signature of an organisation (the operator) under its next proposal, from what the gateway says and nothing else."""
    said = house.as_organisation(house.world.operator).call("GET", "/alliance/nonce")
    domain, action, digest = to_bytes(said["domain"]), call.args["action"], crypto.sm3(call.args["args"])
    words = AllianceProposal(domain, house.world.operator.id, action, digest, said["nonce"]).pack()
    return to_hex((by or house.world.operator).sign(words))


def test_a_vote_says_what_it_is_for(house: House) -> None:
    """A gateway that shows another proposal than the ledger's gets a signature that counts for nothing."""
    world, operator = house.world, house.as_organisation(house.world.operator)
    suspending = world.send((world.platform, actions.suspend(world.hospital.id)))[0].events[0].args["proposal"]
    restoring = world.send((world.platform, actions.restore(world.hospital.id)))[0].events[0].args["proposal"]
    signatures = [voted(house, number) for number in (suspending, restoring)]
    with pytest.raises(GatewayProblem, match="bad_signature"):
        operator.call("POST", "/alliance/votes", body={"proposal": suspending, "signature": signatures[1]})
    with pytest.raises(GatewayProblem, match="not_found"):
        operator.call("POST", "/alliance/votes", body={"proposal": restoring + 1, "signature": signatures[1]})
    made = operator.call("POST", "/alliance/votes", body={"proposal": suspending, "signature": signatures[0]})
    assert operator.operation(made["operation"]["id"], wait=5).state == "succeeded"
    shown = operator.call("GET", f"/alliance/proposals/{suspending}")
    assert (shown["executed"], shown["voters"]) == (True, [to_hex(o.id) for o in (world.platform, world.operator)])


def voted(house: House, proposal: int) -> str:
    """The operator's signature under its vote, from what the gateway shows."""
    client = house.as_organisation(house.world.operator)
    shown, domain = client.call("GET", f"/alliance/proposals/{proposal}"), client.call("GET", "/alliance/nonce")["domain"]
    digest = crypto.sm3(to_bytes(shown["args"], None))
    words = AllianceVote(to_bytes(domain), house.world.operator.id, proposal, shown["action"], digest).pack()
    return to_hex(house.world.operator.sign(words))


def document(count: int, **changes: Any) -> dict[str, Any]:
    return {"kind": "healthtrust/document-type", "code": "T", "elements": [{"n": n + 1} for n in range(count)], **changes}


def test_a_document_type_is_kept_and_put_on_the_ledger_once(house: House) -> None:
    world = house.world
    client, made = house.as_organisation(world.platform), document(3)
    taken = client.register_schema(made)
    assert taken.id == to_hex(schema_id(made))
    assert taken.operation is not None
    assert client.wait(taken.operation).state == "succeeded"
    assert client.register_schema(made).operation is None
    newer = document(4)
    body = {"document": newer, "supersedes": taken.id}
    operator = house.as_organisation(world.operator)
    second = operator.call("POST", "/schemas", body=body)
    operator.operation(second["operation"]["id"], wait=5)
    shown = {s.id: s for s in client.schemas()}
    assert (shown[taken.id].registered, shown[taken.id].supersededBy) == (True, second["id"])
    assert shown[second["id"]].elements == 4


@pytest.mark.parametrize(
    "wrong", [document(0), document(257), document(2, elements=[{"n": 1}, {"n": 3}]), document(1, elements="x"), {}]
)
def test_a_document_type_without_numbered_elements_is_refused(house: House, wrong: dict[str, Any]) -> None:
    with pytest.raises(GatewayProblem, match="schema_malformed"):
        house.as_organisation(house.world.platform).register_schema(wrong)


def test_a_digest_goes_on_the_ledger_as_it_is(house: House) -> None:
    client, world = house.as_organisation(house.world.hospital), house.world
    digest = crypto.sm3(b"a report")
    made = client.call("POST", "/evidence", body={"kind": "report", "digest": to_hex(digest)})
    client.operation(made["operation"]["id"], wait=5)
    events = [e for block in world.ledger.events(0, world.ledger.head().height, ["Evidence"]) for e in block]
    assert digest in [e.args["digest"] for e in events]
