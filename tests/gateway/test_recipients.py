"""A gateway in wrong hands names false recipients or false keys: the client seals nothing for them."""

from __future__ import annotations

from typing import Any

import pytest

from core import crypto
from core.hexes import to_hex
from core.scope import Scope
from gateway.client import FalseRecipient, GatewayClient
from gateway.consent.schemas import PrepareOut, RecipientOut
from gateway.identity.registry import Registries
from tests.gateway.house import House
from tests.scenarios.test_story import scope_for
from tests.support.world import Resident

ATTACKER = crypto.sm2_generate()


@pytest.fixture
def resident(house: House) -> Resident:
    return house.world.resident()


@pytest.fixture
def scope(house: House, resident: Resident) -> Scope:
    return scope_for(house, resident, house.world.practitioner(house.world.hospital), "laboratory")


@pytest.fixture
def client(house: House, resident: Resident) -> GatewayClient:
    return house.as_resident(resident)


def trust_own_node(house: House, client: GatewayClient) -> None:
    client._own_node = Registries(house.world.ledger)


def lie(client: GatewayClient, change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway answers ``POST /consents/prepare`` with other recipients."""
    honest = client.prepare_consent

    def prepared(scope: Scope) -> PrepareOut:
        told = honest(scope)
        return told.model_copy(update={"recipients": change(told.recipients)})

    monkeypatch.setattr(client, "prepare_consent", prepared)


def with_key_of(id: bytes) -> Any:
    """The attacker's key in the place of somebody's."""
    false = {"publicKey": to_hex(ATTACKER.public)}
    return lambda told: [r.model_copy(update=false) if r.id == to_hex(id) else r for r in told]


def stranger(told: list[RecipientOut]) -> list[RecipientOut]:
    return [*told, RecipientOut(id="0x" + "66" * 32, kind="organisation", publicKey=to_hex(ATTACKER.public))]


@pytest.mark.parametrize("own_node", [False, True])
def test_a_stranger_is_refused(
    own_node: bool, house: House, client: GatewayClient, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    if own_node:
        trust_own_node(house, client)
    lie(client, stranger, monkeypatch)
    with pytest.raises(FalseRecipient, match="nobody of this id"):
        client.grant(scope)
    assert client.consents().items == []


def test_another_key_for_oneself_is_refused(client: GatewayClient, scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    lie(client, with_key_of(scope.subject), monkeypatch)
    with pytest.raises(FalseRecipient, match="not the one the ledger holds"):
        client.grant(scope)


@pytest.mark.parametrize("whose", ["practitioner", "custodian", "organisation of the practitioner"])
def test_with_an_own_node_no_key_is_taken_on_the_gateways_word(
    whose: str, house: House, client: GatewayClient, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust_own_node(house, client)
    ids = {"practitioner": scope.grantee.id, "custodian": house.world.platform.id}
    lie(client, with_key_of(ids.get(whose, scope.grantee.organisation or b"")), monkeypatch)
    with pytest.raises(FalseRecipient, match="not the one the ledger holds"):
        client.grant(scope)


def test_an_honest_gateway_passes(house: House, client: GatewayClient, scope: Scope) -> None:
    trust_own_node(house, client)
    made, accepted = client.grant(scope)
    client.wait(accepted)
    assert [c.consent for c in client.consents().items] == [to_hex(made.consent)]
