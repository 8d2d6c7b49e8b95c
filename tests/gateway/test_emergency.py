"""Emergencies at the gateway: two people, the resident told at once, reviewed by somebody else."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from core.emergency import PURPOSE, EmergencyArtefact
from core.hexes import to_bytes, to_hex
from core.scope import Grantee, Scope
from gateway import database
from gateway.client import GatewayClient, GatewayProblem
from gateway.emergency.models import Emergency
from gateway.emergency.schemas import EmergencyForSigners
from gateway.ledger.port import Call
from tests.gateway.house import House
from tests.support.world import Practitioner, Resident

REASON = "昏迷，无法征求本人意见"


class Ward:
    """A resident who cannot be asked, two of the hospital's people, an auditor."""

    def __init__(self, house: House) -> None:
        self.house, world = house, house.world
        self.resident: Resident = world.resident()
        self.first, self.second = world.practitioner(world.hospital), world.practitioner(world.hospital)
        self.mine = house.as_resident(self.resident)
        self.begins, self.confirms = house.as_practitioner(self.first), house.as_practitioner(self.second)
        self.audits = house.as_practitioner(world.practitioner(world.operator, {"auditor"}))

    def scope(self, reader: Practitioner | None = None, **changes: Any) -> Scope:
        who, now = reader or self.first, int(time.time())
        grantee = Grantee("practitioner", who.id, who.organisation.id)
        return replace(Scope(self.resident.subject, grantee, frozenset({PURPOSE}), now - 60, now + 86_400), **changes)

    def begun(self) -> EmergencyForSigners:
        return self.begins.begin_emergency(self.scope(), REASON, 30)

    def opened(self) -> EmergencyArtefact:
        """Confirmed, and on the ledger as the hospital's gate puts it there."""
        self.confirms.confirm_emergency(self.begun())
        (shown,) = self.begins.staff_emergencies()
        artefact = EmergencyArtefact.from_json(shown.artefact)
        first, second = artefact.signers
        args = {"id": artefact.consent, "commitment": artefact.scope.commitment(artefact.salt), "minutesOpen": artefact.minutes}
        args |= {"first": first.practitioner, "firstSignature": first.signature}
        args |= {"second": second.practitioner, "secondSignature": second.signature}
        self.house.world.send((self.house.world.hospital, Call("Access", "openEmergency", args)))
        return artefact


@pytest.fixture
def ward(house: House) -> Ward:
    return Ward(house)


def refused(code: str) -> Any:
    return pytest.raises(GatewayProblem, match=code)


def kinds(client: GatewayClient) -> list[str]:
    return [notice.kind for notice in client.notices().items]


def test_one_begins_another_confirms_the_resident_is_told(ward: Ward) -> None:
    begun = ward.begun()
    assert (begun.state, begun.artefact, kinds(ward.mine), ward.mine.emergencies().items) == ("waiting", None, [], [])
    (waiting,) = ward.confirms.staff_emergencies()
    assert (waiting.id, waiting.reason, waiting.message is not None) == (begun.id, REASON, True)
    ward.confirms.confirm_emergency(waiting)
    (notice,) = [n for n in ward.mine.notices().items if n.kind == "emergency-open"]
    assert (notice.about, notice.data["practitioner"], notice.data["second"]) == (begun.id, begun.first, to_hex(ward.second.id))
    assert "emergency-confirmed" in kinds(ward.begins)
    (mine,) = ward.mine.emergencies().items
    assert (mine.state, mine.reason, mine.ends) == ("confirmed", REASON, None)


def test_what_the_ledger_holds_is_shown(ward: Ward) -> None:
    artefact = ward.opened()
    (mine,) = ward.mine.emergencies().items
    assert (mine.state, mine.id) == ("open", to_hex(artefact.consent))
    assert mine.ends is not None
    assert mine.reviewBy is not None
    assert 0 < mine.ends - time.time() <= 1800
    (own,) = ward.confirms.staff_emergencies()
    assert (own.artefact, own.opening is not None) == (None, True), "only the one who reads holds the artefact"


def test_an_auditor_of_another_house_reviews_it_once(ward: Ward) -> None:
    artefact = ward.opened()
    id = to_hex(artefact.consent)
    ward.audits.wait(ward.audits.review_emergency(id, "unjustified"))
    assert ward.house.world.ledger.read(Call("Access", "emergencyOf", {"id": artefact.consent}))["outcome"] == 2
    assert ward.mine.emergencies().items[0].state == "unjustified"
    for told in (ward.mine, ward.begins, ward.confirms):
        assert "emergency-reviewed" in kinds(told)
    with refused("emergency_not_reviewable"):
        ward.audits.review_emergency(id, "justified")


def test_nobody_reviews_what_is_not_open(ward: Ward) -> None:
    begun = ward.begun()
    ward.confirms.confirm_emergency(begun)
    with refused("emergency_not_reviewable"):
        ward.audits.review_emergency(begun.id, "justified")
    with refused("not_found"):
        ward.audits.review_emergency("0x" + "31" * 32, "justified")


def test_nobody_confirms_for_themselves_twice_late_or_elsewhere(ward: Ward) -> None:
    begun = ward.begun()
    with refused("second_person_needed"):
        ward.begins.confirm_emergency(begun)
    stranger = ward.house.as_practitioner(ward.house.world.practitioner(ward.house.world.platform))
    assert stranger.staff_emergencies() == []
    with refused("not_found"):
        stranger.confirm_emergency(begun)
    with refused("bad_signature"):
        ward.confirms.call("POST", f"/emergencies/{begun.id}/confirmation", body={"signature": "0x" + "11" * 64})
    ward.confirms.confirm_emergency(begun)
    with refused("emergency_not_waiting"):
        ward.confirms.confirm_emergency(begun)
    late = ward.begun()
    with database.writer(ward.house.gateway.engine) as db:
        db.execute(update(Emergency).where(Emergency.id == to_bytes(late.id)).values(created=Emergency.created - 3600))
        db.commit()
    assert [e.state for e in ward.begins.staff_emergencies()] == ["lapsed", "confirmed"]
    with refused("emergency_not_waiting"):
        ward.confirms.confirm_emergency(late)


def test_it_cannot_be_wider_than_an_emergency(ward: Ward) -> None:
    now = int(time.time())
    wrong: list[dict[str, Any]] = [
        {"purposes": frozenset({PURPOSE, 0})},
        {"onward_sharing": True},
        {"uses": 1},
        {"end": now + 10 * 86_400},
        {"start": now - 7200},
        {"subject": b"\x31" * 32},
        {"grantee": Grantee("organisation", ward.house.world.hospital.id)},
        {"grantee": Grantee("practitioner", ward.second.id, ward.house.world.hospital.id)},
    ]
    for changes in wrong:
        with refused("emergency_wrong"):
            ward.begins.begin_emergency(ward.scope(**changes), REASON, 30)
    with refused("emergency_wrong"):
        ward.begins.begin_emergency(ward.scope(), "   ", 30)


def test_whose_emergencies_one_sees(ward: Ward) -> None:
    ward.opened()
    other = ward.house.as_resident(ward.house.world.resident())
    assert other.emergencies().items == []
    assert len(ward.audits.emergencies().items) == 1
    bystander = ward.house.as_practitioner(ward.house.world.practitioner(ward.house.world.hospital))
    assert bystander.staff_emergencies() == [], "once confirmed it concerns the two alone"
