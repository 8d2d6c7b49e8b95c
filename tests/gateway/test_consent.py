"""Consents: the gateway relays what the subject signed, refuses early what the contract would refuse, and can open nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update

from core import artefact as artefacts
from core import crypto
from core.artefact import ConsentArtefact
from core.hexes import to_bytes, to_hex
from core.scope import Grantee, Scope
from gateway import database
from gateway.client import GatewayClient, GatewayProblem
from gateway.consent.models import Consent, ConsentAct
from gateway.consent.tasks import tell_expiring, tell_settled
from gateway.ledger import outbox
from tests.gateway.house import House
from tests.scenarios.test_story import scope_for
from tests.support.world import Practitioner, Resident


@pytest.fixture
def people(house: House) -> tuple[Resident, Practitioner]:
    return house.world.resident(), house.world.practitioner(house.world.hospital)


def signed(
    house: House, client: GatewayClient, resident: Resident, scope: Scope, **changes: Any
) -> tuple[ConsentArtefact, dict[str, Any]]:
    """A grant as the client would submit it, with one thing changed."""
    prepared = client.prepare_consent(scope)
    made = artefacts.build(
        scope,
        changes.get("private", resident.keys.private),
        changes.get("domain", to_bytes(prepared.domain)),
        changes.get("nonce", prepared.nonce),
    )
    sealed = artefacts.seal(made, {to_bytes(r.id): to_bytes(r.publicKey, 64) for r in prepared.recipients})
    return made, {"message": to_hex(made.message), "signature": to_hex(made.signature), "artefact": sealed}


def operations(house: House) -> int:
    with database.reader(house.gateway.engine) as db:
        return db.scalar(select(func.count()).select_from(outbox.Operation).where(outbox.Operation.kind.like("consent.%"))) or 0


def test_what_the_contract_would_refuse_is_refused_before_anything_is_stored(
    house: House, people: tuple[Resident, Practitioner]
) -> None:
    resident, doctor = people
    client, scope = house.as_resident(resident), scope_for(house, resident, doctor, "laboratory")
    _, good = signed(house, client, resident, scope)
    _, other = signed(house, client, resident, scope)
    flipped = good["signature"][:-1] + ("0" if good["signature"][-1] != "0" else "1")
    wrong = [
        ({**good, "signature": flipped}, "bad_signature"),
        (signed(house, client, resident, scope, private=crypto.sm2_generate().private)[1], "bad_signature"),
        (signed(house, client, resident, scope, domain=b"\1" * 32)[1], "wrong_domain"),
        (signed(house, client, resident, scope, nonce=7)[1], "wrong_nonce"),
        ({**good, "artefact": other["artefact"]}, "artefact_mismatch"),
        ({**good, "artefact": {**good["artefact"], "recipients": good["artefact"]["recipients"][:0]}}, "invalid_request"),
        ({**good, "message": good["message"] + "00" * 32}, "message_malformed"),
    ]
    for body, code in wrong:
        with pytest.raises(GatewayProblem, match=code):
            client.call("POST", "/consents", body=body)
    assert operations(house) == 0
    assert client.call("POST", "/consents", body=good)["id"] == good["artefact"]["consent"]


def test_nobody_grants_for_somebody_else(house: House, people: tuple[Resident, Practitioner]) -> None:
    resident, doctor = people
    client, scope = house.as_resident(resident), scope_for(house, resident, doctor, "laboratory")
    _, body = signed(house, client, resident, scope)
    stranger = house.as_resident(house.world.resident())
    with pytest.raises(GatewayProblem, match="not_your_consent"):
        stranger.call("POST", "/consents", body=body)
    with pytest.raises(GatewayProblem, match="not_your_consent"):
        stranger.prepare_consent(scope)


def test_what_nobody_could_read_is_not_prepared(house: House, people: tuple[Resident, Practitioner]) -> None:
    """A link has no credential, and reading takes one: the resident is told before signing."""
    resident, doctor = people
    scope = replace(scope_for(house, resident, doctor, "laboratory"), grantee=Grantee("link", doctor.id))
    with pytest.raises(GatewayProblem, match="link_not_served"):
        house.as_resident(resident).prepare_consent(scope)


def test_several_acts_in_a_row_need_not_wait_for_the_ledger(house: House, people: tuple[Resident, Practitioner]) -> None:
    resident, doctor = people
    client = house.as_resident(resident)
    kick, house.gateway.kick = house.gateway.kick, lambda: None
    first, one = client.grant(scope_for(house, resident, doctor, "laboratory"))
    second, two = client.grant(scope_for(house, resident, doctor, "medication"))
    three = client.revoke(to_hex(first.consent))
    assert [c.status for c in client.consents().items] == ["waiting", "waiting"]
    house.gateway.kick = kick
    kick()
    for accepted in (one, two, three):
        client.wait(accepted)
    states = {c.consent: c.status for c in client.consents().items}
    assert states == {to_hex(first.consent): "revoked", to_hex(second.consent): "active"}


def test_a_consent_is_there_for_those_it_is_sealed_for_and_nobody_can_open_it_here(
    house: House, people: tuple[Resident, Practitioner]
) -> None:
    resident, doctor = people
    client = house.as_resident(resident)
    made, accepted = client.grant(scope_for(house, resident, doctor, "laboratory"))
    client.wait(accepted)
    world, consent = house.world, to_hex(made.consent)
    assert {r.id for r in client.prepare_consent(made.scope).recipients} == {
        to_hex(i) for i in (resident.subject, doctor.id, world.hospital.id, world.platform.id)
    }
    theirs = house.as_practitioner(doctor)
    assert theirs.open_artefact(consent) == made
    assert house.as_organisation(world.platform).open_artefact(consent) == made
    received = theirs.received_consents(to_hex(resident.subject)).items
    assert [(c.consent, c.status, c.operation) for c in received] == [(consent, "active", None)]
    house.gateway.engine.dispose()
    stored = b"".join(p.read_bytes() for p in house.home.rglob("gateway.db*"))
    assert made.salt.hex().encode() not in stored
    assert made.salt not in stored
    assert b"laboratory" not in stored


def test_the_same_consent_cannot_be_submitted_twice_nor_an_ended_one_revoked(
    house: House, people: tuple[Resident, Practitioner]
) -> None:
    resident, doctor = people
    client, scope = house.as_resident(resident), scope_for(house, resident, doctor, "laboratory")
    prepared = client.prepare_consent(scope)
    salt, seed = b"\3" * 32, b"\4" * 32
    recipients = {to_bytes(r.id): to_bytes(r.publicKey, 64) for r in prepared.recipients}

    def body(nonce: int) -> dict[str, Any]:
        made = artefacts.build(scope, resident.keys.private, to_bytes(prepared.domain), nonce, salt=salt, seed=seed)
        sealed = artefacts.seal(made, recipients)
        return {"message": to_hex(made.message), "signature": to_hex(made.signature), "artefact": sealed}

    consent = client.call("POST", "/consents", body=body(0))["id"]
    with pytest.raises(GatewayProblem, match="consent_known"):
        client.call("POST", "/consents", body=body(1))
    client.wait(client.revoke(consent))
    with pytest.raises(GatewayProblem, match="consent_not_active"):
        client.revoke(consent)


def test_a_period_that_is_over_or_upside_down_is_refused_with_words(house: House, people: tuple[Resident, Practitioner]) -> None:
    import dataclasses

    resident, doctor = people
    client, scope = house.as_resident(resident), scope_for(house, resident, doctor, "laboratory")
    over = dataclasses.replace(scope, start=1, end=2)
    with pytest.raises(GatewayProblem, match="terms_refused"):
        client.grant(over)
    document = scope.to_document() | {"period": {"start": 5, "end": 5}}
    with pytest.raises(GatewayProblem, match="scope_malformed"):
        client.call("POST", "/consents/prepare", body={"scope": document})


def test_recipients_are_told_when_the_ledger_has_it_and_not_before(house: House, people: tuple[Resident, Practitioner]) -> None:
    resident, doctor = people
    client, theirs = house.as_resident(resident), house.as_practitioner(doctor)
    kick, house.gateway.kick = house.gateway.kick, lambda: None
    client.grant(scope_for(house, resident, doctor, "laboratory"))
    assert tell_settled(house.gateway) == 0
    assert theirs.notices().items == []
    kick()
    assert [n.kind for n in theirs.notices().items] == ["consent-granted"]
    assert tell_settled(house.gateway) == 0
    with database.reader(house.gateway.engine) as db:
        assert all(act.told for act in db.scalars(select(ConsentAct)))


def test_a_consent_that_ends_soon_is_announced_once(house: House, people: tuple[Resident, Practitioner]) -> None:
    resident, doctor = people
    client = house.as_resident(resident)
    client.grant(scope_for(house, resident, doctor, "laboratory"))
    with database.writer(house.gateway.engine) as db:
        db.execute(update(Consent).values(created=1))
        db.commit()
    for _ in range(2):
        tell_expiring(house.gateway)
    assert [n.kind for n in client.notices().items].count("consent-expiring") == 1


def test_a_preview_counts_what_would_open_and_what_is_open(house: House, people: tuple[Resident, Practitioner]) -> None:
    import dataclasses

    resident, doctor = people
    platform = house.world.platform
    house.index(platform, house.entries(platform, resident, ["laboratory", "medication", "mental-health", "laboratory"]))
    client = house.as_resident(resident)
    narrow = scope_for(house, resident, doctor, "laboratory")
    artefact, accepted = client.grant(narrow)
    client.wait(accepted)
    wide = dataclasses.replace(narrow, categories=None)
    preview = client.preview(wide, [artefact])
    assert (preview.total, preview.alreadyOpen, preview.complete) == (4, 2, True)
    assert preview.custodians == {to_hex(platform.id): 4}
    assert all(e.fields == "0x" + "0" * 63 + "f" for e in preview.entries)
    masked = dataclasses.replace(narrow, fields={to_bytes(preview.entries[0].schema_): 0b101})
    assert {e.fields for e in client.preview(masked).entries} == {"0x" + "0" * 63 + "5"}
    nothing = dataclasses.replace(narrow, fields={b"\1" * 32: 1})
    assert client.preview(nothing).total == 0
    for_all = dataclasses.replace(
        wide, grantee=dataclasses.replace(wide.grantee, type="organisation", id=doctor.organisation.id, organisation=None)
    )
    assert client.preview(for_all).total == 4
    client.wait(client.revoke(to_hex(artefact.consent)))
    assert client.preview(wide, [artefact]).alreadyOpen == 0


def test_staff_cannot_browse_whom_their_hospitals_patients_trust(house: House, people: tuple[Resident, Practitioner]) -> None:
    resident, doctor = people
    client = house.as_resident(resident)
    _, accepted = client.grant(scope_for(house, resident, doctor, "laboratory"))
    client.wait(accepted)
    colleague = house.as_practitioner(house.world.practitioner(house.world.hospital))
    assert colleague.received_consents().items == []
    assert colleague.notices().items == []
    assert [c.status for c in colleague.received_consents(to_hex(resident.subject)).items] == ["active"]
