"""Any member may issue a credential for any id. One under the id of a resident or of another member must open nothing."""

from __future__ import annotations

import pytest

from core import crypto
from core.hexes import to_hex
from gateway.client import GatewayProblem
from tests.gateway.house import House
from tests.scenarios.test_story import scope_for
from tests.support.world import Practitioner, Resident

DAY = 86400


def impostor(house: House, id: bytes) -> Practitioner:
    """A credential of the hospital, for a key of its own, under somebody else's id."""
    person = Practitioner(id, crypto.sm2_generate(), house.world.hospital, 1)
    now = house.world.now()
    house.world.send((house.world.hospital, house.world.credential(person, now - 60, now + DAY)))
    return person


def unbound(house: House) -> Resident:
    """Somebody with records and no key on the ledger yet."""
    return Resident(house.world.new_subject(), crypto.sm2_generate())


def test_a_credential_under_a_residents_id_cannot_log_in(house: House) -> None:
    with pytest.raises(GatewayProblem, match="login_refused"):
        house.as_practitioner(impostor(house, house.world.resident().subject))


def test_a_credential_under_a_members_id_cannot_log_in(house: House) -> None:
    with pytest.raises(GatewayProblem, match="login_refused"):
        house.as_practitioner(impostor(house, house.world.platform.id))


def test_the_session_of_an_impostor_ends_when_the_resident_gets_a_key(house: House) -> None:
    future = unbound(house)
    client = house.as_practitioner(impostor(house, future.subject))
    assert client.who_am_i().practitioner == to_hex(future.subject)
    house.world.send((house.world.operator, house.world.binding(future)))
    with pytest.raises(GatewayProblem, match="session_over"):
        client.who_am_i()


def test_the_patients_own_right_is_not_to_be_had_by_name(house: House) -> None:
    """PATRQT needs no consent, and this patient has no key yet that could contradict."""
    patient, accomplice = unbound(house), house.world.resident()
    house.index(house.world.platform, house.entries(house.world.platform, patient, ["mental-health"] * 3))
    thief = impostor(house, patient.subject)
    artefact, _ = house.as_resident(accomplice).grant(scope_for(house, accomplice, thief, "laboratory"))
    body = {"subject": to_hex(patient.subject), "purpose": "PATRQT", "role": "physician", "artefact": artefact.to_json()}
    page = house.as_practitioner(thief).call("POST", "/index/search", body=body)
    assert (page["total"], page["items"], page["categories"]) == (0, [], {})
